// The subcommand `token revoke`: revokes one token by its `jti`, or the tokens of a `sub`, in the
// database. Gateways close the sockets of these tokens within a second.

import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Config } from '../config/load.js';
import { withSession } from '../postgres/admin/session.js';
import { revokeTokens, type TokenSelector } from '../postgres/admin/revocations.js';
import { UsageError } from './exit.js';
import { findDatabase } from './find-database.js';
import { readTokenInput, verifyLocally } from './token-input.js';

/** The longest lifetime that `token` signs. A token known by name alone may last as long. */
export const MAX_TTL_DAYS = 3_650;

interface RevokeOptions {
  readonly jti?: string;
  readonly sub?: string;
  readonly tokenFile?: string;
}

/** @param load loads the configuration; called when the command runs. */
export function createRevokeCommand(load: () => Config): Command {
  return new Command('revoke')
    .description('revoke a token before its end, or all tokens of a sub that were issued so far')
    .argument('[token]', 'the token to revoke; - reads it from stdin')
    .option('--token-file <file>', 'a file with the token to revoke')
    .option('--jti <id>', 'the jti of the token to revoke')
    .option('--sub <name>', 'revoke all tokens of this sub, for an agent its hostname')
    .exitOverride()
    .action(async (argument: string | undefined, options: RevokeOptions, command: Command) => {
      const config = load();
      const { selector, expiresAtMs } = await selectTokens(argument, options, config);
      await withSession(await findDatabase(config), 'token revoke', (session) =>
        revokeTokens(session, selector, new Date(expiresAtMs)),
      );
      // A token says in whole seconds when it was issued: one that is signed after this command is
      // never taken for one that was revoked.
      if (selector.kind === 'sub') await sleep(1_000);
      const { kind, value } = selector;
      command.configureOutput().writeOut?.(`revoked ${kind} ${JSON.stringify(value)}\n`);
    });
}

/** Tokens, and when the last of them ends. */
interface Selection {
  readonly selector: TokenSelector;
  readonly expiresAtMs: number;
}

/** @throws UsageError unless the command line names tokens in one way. */
async function selectTokens(
  argument: string | undefined,
  { jti, sub, tokenFile }: RevokeOptions,
  config: Config,
): Promise<Selection> {
  const named = [argument, tokenFile, jti, sub].filter((given) => given !== undefined);
  if (named.length !== 1 || named[0] === '')
    throw new UsageError('Name what to revoke once: a token, --token-file, --jti or --sub.');
  const expiresAtMs = Date.now() + MAX_TTL_DAYS * 86_400_000;
  if (jti !== undefined) return { selector: { kind: 'jti', value: jti }, expiresAtMs };
  if (sub !== undefined) return { selector: { kind: 'sub', value: sub }, expiresAtMs };
  const token = await verifyLocally(await readTokenInput({ argument, tokenFile }), config);
  if (token === undefined) throw new UsageError('The token is not signed with a configured key.');
  const { identity } = token;
  if (identity.jti === undefined)
    throw new UsageError('The token has no jti: revoke the tokens of its sub with --sub.');
  return { selector: { kind: 'jti', value: identity.jti }, expiresAtMs: identity.expiresAtMs };
}
