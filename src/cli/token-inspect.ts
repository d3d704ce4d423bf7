// The subcommand `token inspect`: verifies a token with the configured keys and prints what it
// says, and whether it is revoked. It never prints the token.

import { Command } from 'commander';
import type { Config } from '../config/load.js';
import type { EnrolmentLimits, SignedToken } from '../gateway/auth/token.js';
import { withSession } from '../postgres/admin/session.js';
import { isTokenRevoked } from '../postgres/admin/revocations.js';
import { escapeControls } from './escape-controls.js';
import { ExitCode, UsageError } from './exit.js';
import { findDatabase } from './find-database.js';
import { readTokenInput, verifyLocally } from './token-input.js';

interface InspectOptions {
  readonly tokenFile?: string;
}

/** @param load loads the configuration; called when the command runs. */
export function createInspectCommand(load: () => Config): Command {
  return new Command('inspect')
    .description('print what a token says, and whether it is valid; exit code 1 if it is not')
    .argument('[token]', 'the token (default, or -: stdin)')
    .option('--token-file <file>', 'a file with the token')
    .exitOverride()
    .action(async (argument: string | undefined, options: InspectOptions, command: Command) => {
      const config = load();
      const token = await readTokenInput({ argument, tokenFile: options.tokenFile });
      const signed = await verifyLocally(token, config);
      const revoked = signed && (await findRevocation(signed, config));
      const output = command.configureOutput();
      for (const line of describe(signed, revoked)) output.writeOut?.(`${escapeControls(line)}\n`);
      const isValid = signed?.verified.ok === true && revoked === 'no';
      process.exitCode = isValid ? ExitCode.ok : ExitCode.finding;
    });
}

type Revoked = 'yes' | 'no' | `unknown: ${string}`;

/** The signature is judged without a database; a revocation only with one. */
async function findRevocation({ identity }: SignedToken, config: Config): Promise<Revoked> {
  try {
    const database = await findDatabase(config);
    const revoked = await withSession(database, 'token inspect', (session) =>
      isTokenRevoked(session, identity),
    );
    return revoked ? 'yes' : 'no';
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return `unknown: ${error.message}`;
  }
}

function describe(signed: SignedToken | undefined, revoked: Revoked | undefined): string[] {
  if (signed === undefined) return ['valid    no: not signed with a configured key, or no token'];
  const { verified, identity } = signed;
  const fault = verified.ok ? undefined : verified.reason.replaceAll('_', ' ');
  const isAgent = identity.role === 'agent';
  return [
    `valid    ${fault === undefined ? 'yes' : `no: ${fault}`}`,
    `revoked  ${revoked ?? 'no'}`,
    `role     ${identity.role}`,
    `${isAgent ? 'hostname' : 'sub     '} ${identity.sub}`,
    ...(identity.enrolment === undefined ? [] : [`enrols   ${describeLimits(identity.enrolment)}`]),
    `issued   ${formatTime(identity.issuedAtS)}`,
    `expires  ${new Date(identity.expiresAtMs).toISOString()}`,
    `jti      ${identity.jti ?? 'none: it can be revoked by its sub only'}`,
  ];
}

function describeLimits({ max, pattern }: EnrolmentLimits): string {
  return `${max ?? 'any number of'} VMs${pattern === undefined ? '' : ` named ${pattern}`}`;
}

function formatTime(seconds: number | undefined): string {
  if (seconds === undefined) return 'unknown';
  const time = new Date(seconds * 1_000);
  return Number.isNaN(time.getTime()) ? 'unknown' : time.toISOString();
}
