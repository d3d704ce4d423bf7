// The subcommand `token`: signs a token with the configured or the kept secret, and prints only the
// token. Its own subcommands inspect and revoke tokens.

import { open } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Value } from 'typebox/value';
import type { Role } from '../gateway/auth/roles.js';
import { isClearHostname, UNCLEAR_HOSTNAME } from '../gateway/database/new-hostname.js';
import { Subject, type EnrolmentLimits, type TokenContent } from '../gateway/auth/token.js';
import { loadConfig, type Config } from '../config/load.js';
import { CREATE_ONLY } from '../processes/replace-file.js';
import { readSystemCode } from '../processes/system-code.js';
import { parseDurationMs, type DurationFormat } from '../time/duration.js';
import { UsageError } from './exit.js';
import { findDatabase } from './find-database.js';
import { findGateway } from './find-gateway.js';
import { createSignInLink } from './sign-in-link.js';
import { requireSecret, signLocally } from './sign-locally.js';
import { createInspectCommand } from './token-inspect.js';
import { createRevokeCommand, MAX_TTL_DAYS } from './token-revoke.js';

const ROLES: readonly Role[] = ['agent', 'dashboard', 'admin', 'enrol'];

const TTL: DurationFormat = {
  units: ['s', 'm', 'h', 'd'],
  minMs: 1_000,
  maxMs: MAX_TTL_DAYS * 86_400_000,
};

const DEFAULT_TTL: Readonly<Record<Role, string>> = {
  agent: '30d',
  dashboard: '12h',
  admin: '12h',
  enrol: '12h',
};

interface TokenOptions {
  readonly role?: Role;
  readonly hostname?: string;
  readonly sub?: string;
  readonly ttl?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly out?: string;
  readonly link?: true;
  readonly url?: string;
}

/** @param load loads the configuration; called when the command runs. */
export function createTokenCommand(load: () => Config = loadConfig): Command {
  return new Command('token')
    .description('print a token, signed with JWT_SECRET or the secret kept in DATA_DIR')
    .enablePositionalOptions()
    .addOption(
      new Option('--role <role>', 'what the bearer may do; required to sign').choices(ROLES),
    )
    .option('--hostname <hostname>', 'the VM of an agent')
    .option('--sub <name>', 'the name of any other bearer, for logs (default: the role)')
    .option(
      '--ttl <duration>',
      'how long the token is valid: 90s, 15m, 12h, 30d (default: 30d for agents, 12h for others)',
      parseTtlSeconds,
    )
    .option(
      '--max <count>',
      'how many VMs may enrol with an enrol token (default: any number)',
      parseMax,
    )
    .option('--pattern <pattern>', 'the hostnames that may enrol; * stands for any characters')
    .option('--out <file>', 'write the token to a new file that only its owner can read')
    .option(
      '--link',
      'print a link instead, which signs in to the dashboard once, within five minutes',
    )
    .option('--url <url>', 'the gateway of the link (default: the one that runs here)')
    .exitOverride()
    .action(async (options: TokenOptions, command: Command) => {
      const role = requireRole(options);
      const content = {
        role,
        sub: resolveSubject({ ...options, role }),
        ttlSeconds: options.ttl ?? parseTtlSeconds(DEFAULT_TTL[role]),
        enrolment: resolveLimits(options),
      };
      const config = load();
      const line = options.link
        ? await createLink(content, options.url, config)
        : await signLocally(content, config);
      if (options.out === undefined) command.configureOutput().writeOut?.(`${line}\n`);
      else await writeNewFile(options.out, `${line}\n`);
    })
    .addCommand(createInspectCommand(load))
    .addCommand(createRevokeCommand(load));
}

/** @throws UsageError if the role has no use for the dashboard, or there is no database */
async function createLink(
  content: TokenContent,
  url: string | undefined,
  config: Config,
): Promise<string> {
  if (content.role !== 'dashboard' && content.role !== 'admin')
    throw new UsageError('A link signs in to the dashboard: give --role dashboard or admin.');
  const secret = await requireSecret(config);
  const database = await findDatabase(config).catch((error: unknown) => {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`A link needs the gateway's database. ${error.message}`);
  });
  const gateway = url ?? (await findGateway(config)).url;
  return createSignInLink({ database, url: gateway, secret, content });
}

/** Required to sign, and not by the subcommands. @throws UsageError */
function requireRole({ role }: TokenOptions): Role {
  if (role !== undefined) return role;
  throw new UsageError(`What may the bearer do? Give --role ${ROLES.join(', ')}.`);
}

/** Never writes through a link or into a file that exists. @throws UsageError */
async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, CREATE_ONLY, 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = readSystemCode(cause);
    if (code === undefined) throw cause;
    const fault = code === 'EEXIST' || code === 'ELOOP' ? 'exists' : `cannot be made (${code})`;
    throw new UsageError(`The file ${path} ${fault}: --out writes a new file.`, { cause });
  }
}

/** Resolves the limits of an enrolment token. @throws UsageError */
function resolveLimits({ role, max, pattern }: TokenOptions): EnrolmentLimits {
  if (role !== 'enrol' && (max !== undefined || pattern !== undefined))
    throw new UsageError('--max and --pattern limit a token of the role enrol only.');
  if (pattern === '' || (pattern?.length ?? 0) > 255)
    throw new UsageError('--pattern must have 1 to 255 characters.');
  return { ...(max !== undefined && { max }), ...(pattern !== undefined && { pattern }) };
}

/** @throws InvalidArgumentError */
function parseMax(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a number from 1 to 999999.');
}

/** Resolves the token's subject: an agent's hostname, or a name. @throws UsageError */
function resolveSubject({ role, hostname, sub }: TokenOptions & { readonly role: Role }): string {
  if (role === 'agent') {
    if (hostname !== undefined && sub === undefined) return validateHostname(hostname);
    throw new UsageError('An agent is named by --hostname only.');
  }
  if (hostname === undefined) return validateSubject('--sub', sub ?? role);
  throw new UsageError('Only an agent has a --hostname; every other role is named by --sub.');
}

function validateHostname(hostname: string): string {
  if (isClearHostname(hostname)) return validateSubject('--hostname', hostname);
  throw new UsageError(UNCLEAR_HOSTNAME);
}

function validateSubject(option: string, subject: string): string {
  if (Value.Check(Subject, subject)) return subject;
  throw new UsageError(`${option} must have 1 to 255 characters.`);
}

/** Parses the option --ttl into seconds. @throws InvalidArgumentError */
export function parseTtlSeconds(text: string): number {
  const ms = parseDurationMs(text, TTL);
  if (ms !== undefined) return ms / 1_000;
  throw new InvalidArgumentError(`Expected 90s, 15m, 12h or 30d, up to ${MAX_TTL_DAYS}d.`);
}
