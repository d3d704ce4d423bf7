// A server process after its start: its end is reported exactly once, and stop() uses harder
// signals until the process ends.

import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerLog } from './log.js';

export interface ServerExit {
  /** True if stop() ended the server. */
  readonly expected: boolean;
  /** The exit code or the signal, and the last line of its log. */
  readonly reason: string;
}

export interface ServerProcess {
  /** Undefined if the process could not be started. */
  readonly pid: number | undefined;
  /** Never rejects. */
  readonly exited: Promise<ServerExit>;
  readonly stop: () => Promise<void>;
}

/** A signal, and how long the process may take before the next signal is sent. */
export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly timeoutMs: number;
}

/** https://www.postgresql.org/docs/current/server-shutdown.html */
const STOP_STEPS: readonly StopStep[] = [
  { signal: 'SIGINT', timeoutMs: 15_000 }, // Fast: ends sessions, writes a checkpoint.
  { signal: 'SIGQUIT', timeoutMs: 5_000 }, // Immediate: the next start recovers.
  { signal: 'SIGKILL', timeoutMs: 5_000 },
];

/** Observes the child's end, and stops the child on demand. */
export function superviseProcess(
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
  for (const { signal, timeoutMs } of steps) {
    child.kill(signal);
    if (await settlesWithin(exited, timeoutMs)) return;
  }
}

async function settlesWithin(promise: Promise<unknown>, timeMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(timeMs, false, { signal: timer.signal }).catch(() => false);
  const settled = await Promise.race([promise.then(() => true), late]);
  timer.abort();
  return settled;
}
