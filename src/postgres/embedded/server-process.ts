// One server process once it has been launched: its end, which is told once whatever becomes of it,
// and the ways to bring that about.

import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerLog } from './log.js';

export interface ServerExit {
  /** True when stop() ended it. */
  readonly expected: boolean;
  /** The exit code or the signal, and the last line of its log. */
  readonly reason: string;
}

export interface ServerProcess {
  /** Undefined when it could not be started at all. */
  readonly pid: number | undefined;
  /** Never rejects. */
  readonly exited: Promise<ServerExit>;
  readonly stop: () => Promise<void>;
}

/** A way to stop, and what it is given before the next, harder one. */
export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly patienceMs: number;
}

/** https://www.postgresql.org/docs/current/server-shutdown.html */
const STOP_STEPS: readonly StopStep[] = [
  { signal: 'SIGINT', patienceMs: 15_000 }, // Fast: ends the sessions, writes a checkpoint.
  { signal: 'SIGQUIT', patienceMs: 5_000 }, // Immediate: the next start recovers.
  { signal: 'SIGKILL', patienceMs: 5_000 },
];

/** Tells of the child's end, and ends it on demand. */
export function supervise(
  child: ChildProcess,
  log: Pick<ServerLog, 'tail'>,
  steps: readonly StopStep[] = STOP_STEPS,
): ServerProcess {
  let stopping: Promise<void> | undefined;
  const ended = new Promise<{ expected: boolean; how: string }>((resolve) => {
    const end = (how: string): void => resolve({ expected: stopping !== undefined, how });
    child.once('exit', (code, signal) => end(signal ?? `exit code ${String(code)}`));
    child.once('error', (error) => end(error.message));
  });
  const exited = ended.then(async ({ expected, how }) => {
    const lines = await log.tail(1).catch(() => []);
    return { expected, reason: [how, ...lines].join(': ') };
  });
  return { pid: child.pid, exited, stop: () => (stopping ??= stop(child, exited, steps)) };
}

async function stop(
  child: ChildProcess,
  exited: Promise<ServerExit>,
  steps: readonly StopStep[],
): Promise<void> {
  for (const { signal, patienceMs } of steps) {
    child.kill(signal);
    if (await settlesWithin(exited, patienceMs)) return;
  }
}

async function settlesWithin(promise: Promise<unknown>, timeMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(timeMs, false, { signal: timer.signal }).catch(() => false);
  const settled = await Promise.race([promise.then(() => true), late]);
  timer.abort();
  return settled;
}
