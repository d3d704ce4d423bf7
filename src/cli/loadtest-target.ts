// The remote target of a load test: a running gateway, its database and credentials.

import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { resolveSecrets } from '../gateway/auth/secret.js';
import { signToken } from '../gateway/auth/token.js';
import { parseAddress } from '../client/address.js';
import type { Config } from '../config/load.js';
import { readDatabaseUrl } from '../config/database-url.js';
import { completeDatabase } from '../config/databases.js';
import { chooseServer } from '../postgres/choose-server.js';
import { createRemoteTarget } from '../loadtest/remote-target.js';
import type { Credentials, Target } from '../loadtest/target.js';
import { findDatabase } from './find-database.js';
import { UsageError } from './exit.js';

/** The options of the command line. */
export interface RemoteOptions {
  readonly url?: string;
  readonly databaseUrl?: string;
  readonly tokenFile?: string;
}

const TOKEN_TTL_SECONDS = 6 * 3_600;

/** Resolves the options. @throws UsageError if one of them cannot be used. */
export async function findRemoteTarget(
  { url, databaseUrl, tokenFile }: RemoteOptions & { readonly url: string },
  config: Config,
): Promise<Target> {
  const database =
    databaseUrl === undefined ? await findDatabase(config) : await readDatabase(databaseUrl);
  const credentials = await resolveCredentials(tokenFile, config);
  return createRemoteTarget({
    ...{ url: readGatewayAddress(url), database, credentials },
    token:
      credentials.kind === 'token'
        ? credentials.token
        : signToken(
            { role: 'dashboard', sub: 'loadtest', ttlSeconds: TOKEN_TTL_SECONDS },
            credentials.secret,
          ),
  });
}

function readGatewayAddress(url: string): string {
  try {
    return parseAddress(url).http;
  } catch (cause) {
    throw new UsageError(`${url} is not the URL of a gateway.`, { cause });
  }
}

function readDatabase(text: string): Promise<pg.ClientConfig> {
  const url = readDatabaseUrl(text);
  if (typeof url === 'string') throw new UsageError(`--database-url (not shown): ${url}.`);
  const problems: string[] = [];
  const database = completeDatabase(url, '--database-url (not shown)', problems);
  if (problems[0] !== undefined) throw new UsageError(problems[0]);
  return chooseServer(database);
}

async function resolveCredentials(
  tokenFile: string | undefined,
  config: Config,
): Promise<Credentials> {
  if (tokenFile !== undefined) {
    const token = await readFile(tokenFile, 'utf8').catch((cause: unknown) => {
      throw new UsageError(`The token file ${tokenFile} cannot be read.`, { cause });
    });
    return { kind: 'token', token: token.trim() };
  }
  const [secret] = await resolveSecrets(config);
  if (secret !== undefined) return { kind: 'secret', secret };
  throw new UsageError(
    'No tokens can be signed here: JWT_PUBLIC_KEY only verifies tokens. ' +
      "Set JWT_SECRET, or give an admin's token (--token-file).",
  );
}
