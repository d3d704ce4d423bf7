// Finds the gateway of a command, and a token for it: what the options name, else what LABLINK_URL
// and LABLINK_TOKEN_FILE name, else the gateway that runs on DATA_DIR, or the configured address.

import type { Command } from 'commander';
import { readSecrets } from '../gateway/auth/secret.js';
import { signToken } from '../gateway/auth/token.js';
import { loadConfig, type Config } from '../config/load.js';
import { UsageError } from './exit.js';
import { readGatewayLock } from './read-gateway-lock.js';
import { readTokenFile } from './token-file.js';

/** A gateway, and tokens for it. */
export interface FoundGateway {
  readonly url: string;
  /** Returns a fresh token. @throws UsageError if there is none */
  token(): Promise<string>;
}

/** The options that name a gateway. */
export interface GatewaySelection {
  readonly url?: string;
  readonly tokenFile?: string;
}

const TTL_SECONDS = 3_600;

/** Addresses that one can listen on, but not connect to (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2). */
const THIS_MACHINE = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** Adds the options that name a gateway and a token for it. */
export function addGatewayOptions(command: Command): Command {
  return command
    .option('--url <url>', 'the gateway (default: LABLINK_URL, or the one that runs here)')
    .option(
      '--token-file <file>',
      'a file with a token (default: LABLINK_TOKEN_FILE, or one is signed here)',
    );
}

/** Finds the gateway without options. The URL is that in the lock of DATA_DIR, if there is one. */
export async function findGateway(config: Config): Promise<FoundGateway> {
  const { gatewayUrl, tokenFile } = config;
  return {
    url: gatewayUrl ?? (await readGatewayLock(config))?.url ?? formatConfiguredUrl(config),
    // The file is read for each connection, because it may hold a renewed token.
    token: () => (tokenFile === undefined ? signForCommand(config) : readTokenFile(tokenFile)),
  };
}

/**
 * Finds the gateway that the options name, as far as they do.
 *
 * @param find finds the gateway without options; called only if an option is missing
 */
export async function resolveGateway(
  { url, tokenFile }: GatewaySelection,
  find: () => Promise<FoundGateway> = () => findGateway(loadConfig()),
): Promise<FoundGateway> {
  const token = tokenFile === undefined ? undefined : () => readTokenFile(tokenFile);
  if (url !== undefined && token !== undefined) return { url, token };
  const found = await find();
  return { url: url ?? found.url, token: token ?? (() => found.token()) };
}

function formatConfiguredUrl({ host, port }: Config): string {
  const address = THIS_MACHINE.get(host) ?? host;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * Signs an admin's token with the secret of the gateway here. A secret generated now would be no
 * gateway's.
 *
 * @throws UsageError if there is no secret
 */
async function signForCommand(config: Config): Promise<string> {
  const [secret] = await readSecrets(config);
  if (secret !== undefined)
    return signToken({ role: 'admin', sub: 'cli', ttlSeconds: TTL_SECONDS }, secret);
  throw new UsageError(
    config.jwtPublicKeys.length > 0
      ? 'No token can be signed here, because JWT_PUBLIC_KEY only verifies tokens: give one with --token-file.'
      : `There is no secret in ${config.dataDir} to sign a token with: start a gateway with "serve", ` +
          'name its folder with DATA_DIR, or give a token with --token-file.',
  );
}
