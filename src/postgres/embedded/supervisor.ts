// Starts a server process and waits until it answers a query: its log alone does not prove that it
// is ready. If it does not start, the error says why and what to do.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Account } from './account.js';
import { EmbeddedError } from './errors.js';
import { findParentDeathWrapper, startWatchdog } from './parent-death-signal.js';
import type { ServerLog } from './log.js';
import { readPostmasterPid } from './postmaster.js';
import { spawnProgram } from './programs.js';
import { type ServerExit, type ServerProcess, superviseProcess } from './server-process.js';
import { formatArguments } from './settings.js';

export interface ServerOptions {
  readonly binDir: string;
  /** The cluster's folder, absolute. */
  readonly folder: string;
  readonly account: Account | undefined;
  /** Settings of PostgreSQL by name. */
  readonly settings: Readonly<Record<string, string>>;
  readonly log: ServerLog;
  /** Repeated until it resolves, or rejects with an error that waiting does not mend. */
  readonly probeReadiness: () => Promise<void>;
}

/** How long a server may stay silent. A server that recovers answers "not yet", which counts. */
const ANSWER_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** How long the backends of a killed server may take to notice that it is gone. */
const ORPHANS_TIMEOUT_MS = 10_000;
/** SQLSTATE of a server that is starting up or recovering. */
const CANNOT_CONNECT_NOW = '57P03';
/** How many of the log's last lines an error quotes. */
const QUOTED_LINES = 8;

/**
 * Starts a server on the cluster and returns when it answers.
 *
 * @throws EmbeddedError `start_failed`, `port_taken` or `busy`, with the end of the server's log.
 */
export async function startServerProcess(options: ServerOptions): Promise<ServerProcess> {
  const deadline = performance.now() + ORPHANS_TIMEOUT_MS;
  for (;;) {
    const server = await spawnServer(options);
    const reason = await waitUntilReady(server, options);
    if (reason === undefined) return server;
    const logTail = (await options.log.tail(QUOTED_LINES)).join('\n');
    const hasOrphans = /pre-existing shared memory block .* is still in use/.test(logTail);
    if (!hasOrphans || performance.now() > deadline) {
      throw createStartError(options, reason, logTail);
    }
    await sleep(POLL_MS);
  }
}

async function spawnServer(options: ServerOptions): Promise<ServerProcess> {
  const { binDir, folder, account, settings, log } = options;
  const wrapper = await findParentDeathWrapper();
  const child = spawnProgram({
    program: join(binDir, 'postgres'),
    wrapper,
    args: (path) => ['-D', path, ...formatArguments(settings)],
    account,
    folder,
    output: log.fd,
  });
  if (wrapper === undefined) startWatchdog(child);
  return superviseProcess(child, log);
}

/**
 * Returns undefined once the server answers; else the reason for giving up, after the server ended.
 */
async function waitUntilReady(
  server: ServerProcess,
  { probeReadiness, folder }: ServerOptions,
): Promise<string | undefined> {
  let ended: ServerExit | undefined;
  void server.exited.then((exit) => (ended = exit));
  let deadline = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    const failure = await probeReadiness().then(() => undefined, toError);
    // If two servers were started on the folder, the other one may have answered.
    if (failure === undefined && (await readPostmasterPid(folder)) === server.pid) return undefined;
    if (ended !== undefined) return ended.reason;
    const answer = failure instanceof pg.DatabaseError ? failure.code : undefined;
    if (answer === CANNOT_CONNECT_NOW) deadline = performance.now() + ANSWER_TIMEOUT_MS;
    if ((answer ?? CANNOT_CONNECT_NOW) !== CANNOT_CONNECT_NOW || performance.now() > deadline) {
      await server.stop();
      return failure?.message ?? 'another server answers on its socket';
    }
    await sleep(POLL_MS);
  }
}

const toError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error), { cause: error });

function createStartError(options: ServerOptions, reason: string, logTail: string): EmbeddedError {
  const { folder, log, settings } = options;
  if (/could not bind IPv4 address .*Address already in use/.test(logTail)) {
    const message = `Port ${settings.port ?? ''} of this machine is taken. Choose another.`;
    return new EmbeddedError('port_taken', message);
  }
  if (/lock file "postmaster.pid" (already exists|is empty)|is still in use/.test(logTail)) {
    return new EmbeddedError('busy', `Another PostgreSQL server uses ${folder}:\n${logTail}`);
  }
  return new EmbeddedError(
    'start_failed',
    `PostgreSQL did not start on ${folder}: ${reason}\nThe end of ${log.path}:\n${logTail}`,
  );
}
