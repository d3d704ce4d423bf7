// Chooses one of several servers, as libpq does with several hosts and `target_session_attrs`. All
// are asked at once, so that a host that does not answer delays no connection for long.

import pg from 'pg';
import { isConnectionError } from './errors.js';

/** A connection, whose server may have to be chosen. Without `hosts` there is no choice. */
export interface ServerChoice extends pg.ClientConfig {
  /** All servers; an earlier one goes first. */
  readonly hosts?: readonly { readonly host: string; readonly port: number }[];
  /** By default any server. */
  readonly targetSession?: TargetSession;
}

type TargetSession = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby';

/** How long a server may take to answer. */
const PROBE_TIMEOUT_MS = 3_000;
/** How long an earlier server is waited for once a later one fits. */
const GRACE_MS = 300;

interface ServerState {
  readonly standby: boolean;
  readonly readOnly: boolean;
}

const STATE = `SELECT pg_catalog.pg_is_in_recovery() AS standby,
  pg_catalog.current_setting('transaction_read_only') = 'on' AS "readOnly"`;

/** A server fits, or the reason why it does not. */
interface Answer {
  readonly fits: boolean;
  /** It is used if no other fits. */
  readonly spare: boolean;
  readonly why: string;
  readonly error?: unknown;
}

/** No server fits. It has the code of the servers' common error, or that of a failed connection. */
export class NoServerError extends Error {
  override readonly name = 'NoServerError';
  constructor(
    message: string,
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Returns the connection to the first server that fits; `config` itself without `hosts`.
 * @throws NoServerError, which names each server with the reason
 */
export async function chooseServer(config: ServerChoice): Promise<pg.ClientConfig> {
  const { hosts, targetSession = 'any', ...rest } = config;
  if (hosts === undefined) return config;
  const answers: (Answer | undefined)[] = hosts.map(() => undefined);
  const abandoned = new AbortController();
  const asked = hosts.map(async (server, index) => {
    answers[index] = await ask({ ...rest, ...server }, targetSession, abandoned.signal);
  });
  await waitForChoice(asked, answers);
  abandoned.abort();
  const index = [
    answers.findIndex((answer) => answer?.fits),
    answers.findIndex((answer) => answer?.spare),
  ].find((found) => found >= 0);
  const chosen = index === undefined ? undefined : hosts[index];
  if (chosen !== undefined) return { ...rest, ...chosen };
  throw createError(hosts, answers, targetSession);
}

/** Resolves when all have answered, or one fits and the earlier ones have had their time. */
async function waitForChoice(
  asked: readonly Promise<void>[],
  answers: readonly (Answer | undefined)[],
): Promise<void> {
  const isDecided = (): boolean => {
    const first = answers.findIndex((answer) => answer?.fits);
    return first >= 0 && !answers.slice(0, first).includes(undefined);
  };
  await new Promise<void>((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    void Promise.all(asked).then(done, done);
    for (const one of asked) {
      void one.then(() => {
        if (isDecided()) done();
        else if (answers.some((answer) => answer?.fits)) timer ??= setTimeout(done, GRACE_MS);
      });
    }
  });
}

/** Asks one server. Never rejects. */
async function ask(
  config: pg.ClientConfig,
  wanted: TargetSession,
  signal: AbortSignal,
): Promise<Answer> {
  const timeoutMs = config.connectionTimeoutMillis ?? PROBE_TIMEOUT_MS;
  const client = new pg.Client({
    application_name: 'lablink-gateway',
    ...config,
    connectionTimeoutMillis: Math.min(timeoutMs, PROBE_TIMEOUT_MS),
    query_timeout: PROBE_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  const end = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', end, { once: true });
  try {
    await client.connect();
    const { rows } = await client.query<ServerState>(STATE);
    return decide(rows[0] ?? { standby: false, readOnly: false }, wanted);
  } catch (error) {
    return { fits: false, spare: false, why: describe(error), error };
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

function decide({ standby, readOnly }: ServerState, wanted: TargetSession): Answer {
  const why = standby ? 'a standby' : readOnly ? 'read-only' : 'a primary that takes writes';
  const answer = (fits: boolean, spare = false): Answer => ({ fits, spare, why });
  switch (wanted) {
    case 'any':
      return answer(true);
    case 'read-write':
      return answer(!standby && !readOnly);
    case 'read-only':
      return answer(standby || readOnly);
    case 'primary':
      return answer(!standby);
    case 'standby':
      return answer(standby);
    case 'prefer-standby':
      return answer(standby, true);
  }
}

/** Node's error has no message if a name has several addresses and all fail. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  return 'code' in error ? String(error.code) : error.name;
}

/** connection_exception. */
const CONNECTION_FAILED = '08000';

function createError(
  hosts: NonNullable<ServerChoice['hosts']>,
  answers: readonly (Answer | undefined)[],
  wanted: TargetSession,
): NoServerError {
  const reasons = hosts.map(
    ({ host, port }, index) => `${host}:${port} (${answers[index]?.why ?? 'no answer'})`,
  );
  const errors = answers.map((answer) => answer?.error);
  // A wrong password is no reason to wait, unless another server may still come.
  const cause = errors.find((error) => error !== undefined);
  const isLasting = errors.every((error) => error !== undefined && !isConnectionError(error));
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return new NoServerError(
    `none of the hosts can be used as ${wanted}: ${reasons.join(', ')}`,
    isLasting && code !== '' ? code : CONNECTION_FAILED,
    { cause },
  );
}

/** What pg's types leave out. */
interface ClientParts {
  readonly connection: { readonly stream: { readonly destroyed: boolean } };
  readonly connectionParameters: object;
}

/**
 * A client for a pool: it chooses its server when it connects. With a single server it is pg's own.
 */
export function createClientClass(config: ServerChoice): typeof pg.Client {
  if (config.hosts === undefined) return pg.Client;
  return class ChoosingClient extends pg.Client {
    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
      const connected = chooseServer(config).then(({ host, port }) => {
        const { connection, connectionParameters } = this as unknown as ClientParts;
        // Otherwise a socket that the pool has given up would open again.
        if (connection.stream.destroyed) throw new Error('Connection terminated');
        // pg reads both for the connection, the check of the certificate and the password.
        Object.assign(this, { host, port });
        Object.assign(connectionParameters, { host, port });
        return super.connect();
      });
      if (callback === undefined) return connected;
      connected.then(
        () => (callback as (error: Error | null, client: pg.Client) => void)(null, this),
        callback,
      );
      return undefined;
    }
  };
}
