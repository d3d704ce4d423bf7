// The machine of a run in a line, and whether it can hold what is asked of it.

import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

const OBSERVE_MS = 2_000;

export async function describeMachine(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ version: string }>(
    `SELECT split_part(current_setting('server_version'), ' ', 1) AS version`,
  );
  const taken = Math.round(100 * (await shareTaken()));
  return (
    `${availableParallelism()} cores shared by all processes; Node ${process.versions.node}, ` +
    `PostgreSQL ${rows[0]?.version ?? ''}; before the run others took ${taken} % of the CPU`
  );
}

/**
 * The share of the CPU that others take while the benchmark waits. If it is large, the latencies
 * are the machine's.
 */
async function shareTaken(): Promise<number> {
  const sum = (of: (times: ReturnType<typeof cpus>[number]['times']) => number): number =>
    cpus().reduce((total, { times }) => total + of(times), 0);
  const all = (): number => sum((times) => Object.values(times).reduce((a, b) => a + b, 0));
  const [allBefore, idleBefore] = [all(), sum(({ idle }) => idle)];
  await sleep(OBSERVE_MS);
  return 1 - (sum(({ idle }) => idle) - idleBefore) / (all() - allBefore);
}

/**
 * How many files a process may open. Node raises its own limit as far as it may go: the hard limit
 * is what counts.
 */
export function openFilesLimit(): number {
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }));
  return Number.isNaN(limit) ? Infinity : limit;
}
