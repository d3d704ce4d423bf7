// Starts a server process and waits until it answers: what its log says about being ready is not
// proof. Where it does not start, says why in terms that a person can act on.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Account } from './account.js';
import { EmbeddedError } from './errors.js';
import { lifelineWrapper, watchFromOutside } from './parent-death-signal.js';
import type { ServerLog } from './log.js';
import { holderOf } from './postmaster.js';
import { launch } from './programs.js';
import { type ServerExit, type ServerProcess, supervise } from './server-process.js';
import { asArguments } from './settings.js';

export interface ServerOptions {
  readonly binDir: string;
  readonly folder: string;
  readonly account: Account | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: ServerLog;
  /** What is asked of the server first; it has started when this succeeds. Tried again and again. */
  readonly greet: () => Promise<void>;
}

/** A server that does not answer for so long is given up. One that recovers does answer, "not yet". */
const ANSWER_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** How long the backends of a killed server are given to see that it is gone. */
const ORPHANS_TIMEOUT_MS = 10_000;
/** SQLSTATE: the server is there, and starting up or recovering. */
const CANNOT_CONNECT_NOW = '57P03';

/**
 * Starts a server on the cluster and returns when it answers.
 *
 * @throws EmbeddedError `start_failed`, `port_taken` or `busy`, with the end of the server's log.
 */
export async function superviseServer(options: ServerOptions): Promise<ServerProcess> {
  const deadline = performance.now() + ORPHANS_TIMEOUT_MS;
  for (;;) {
    const server = await run(options);
    const failed = await untilAnswering(server, options);
    if (failed === undefined) return server;
    const said = (await options.log.tail(8)).join('\n');
    const orphans = /pre-existing shared memory block .* is still in use/.test(said);
    if (!orphans || performance.now() > deadline) throw failure(options, failed, said);
    await sleep(POLL_MS);
  }
}

async function run(options: ServerOptions): Promise<ServerProcess> {
  const { binDir, folder, account, settings, log } = options;
  const wrapper = await lifelineWrapper();
  const child = launch({
    program: join(binDir, 'postgres'),
    wrapper,
    args: (name) => ['-D', name, ...asArguments(settings)],
    account,
    folder,
    output: log.fd,
  });
  if (wrapper === undefined) watchFromOutside(child);
  return supervise(child, log);
}

/** Undefined when it answers; else why it is given up, and then it no longer runs. */
async function untilAnswering(
  server: ServerProcess,
  { greet, folder }: ServerOptions,
): Promise<string | undefined> {
  let ended: ServerExit | undefined;
  void server.exited.then((exit) => (ended = exit));
  let deadline = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    const refusal = await greet().then(() => undefined, asError);
    // On a folder that two servers were started on, the one that answers may be the other.
    if (refusal === undefined && (await holderOf(folder)) === server.pid) return undefined;
    if (ended !== undefined) return ended.reason;
    const answer = refusal instanceof pg.DatabaseError ? refusal.code : undefined;
    if (answer === CANNOT_CONNECT_NOW) deadline = performance.now() + ANSWER_TIMEOUT_MS;
    if ((answer ?? CANNOT_CONNECT_NOW) !== CANNOT_CONNECT_NOW || performance.now() > deadline) {
      await server.stop();
      return refusal?.message ?? 'another server answers in its place';
    }
    await sleep(POLL_MS);
  }
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error), { cause: error });

function failure(options: ServerOptions, reason: string, said: string): EmbeddedError {
  const { folder, log, settings } = options;
  if (/could not bind IPv4 address .*Address already in use/.test(said)) {
    const message = `Port ${settings.port ?? ''} of this machine is taken. Choose another.`;
    return new EmbeddedError('port_taken', message);
  }
  if (/lock file "postmaster.pid" (already exists|is empty)|is still in use/.test(said)) {
    return new EmbeddedError('busy', `Another PostgreSQL server uses ${folder}:\n${said}`);
  }
  return new EmbeddedError(
    'start_failed',
    `PostgreSQL did not start on ${folder}: ${reason}\nThe end of ${log.path}:\n${said}`,
  );
}
