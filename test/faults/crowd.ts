// Thousands of agents, in processes of their own, and what became of them.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Teardown } from '../helpers/database.js';
import { TYPESCRIPT_LOADER } from '../helpers/loader.js';
import { cleanEnvironment } from '../helpers/process.js';
import { until } from '../helpers/until.js';

/** The actions and observations of an agent. */
export interface AgentReport {
  readonly hostname: string;
  /** The assignments it ran, in order: one that it ran twice stands here twice. */
  readonly runs: readonly string[];
  /** Before each try to come back. */
  readonly pausesMs: readonly number[];
  readonly connected: boolean;
}

export interface CrowdOptions {
  readonly url: string;
  readonly secret: string;
  /** Hostnames are this and a number from 0 on. */
  readonly prefix: string;
  readonly size: number;
  readonly processes: number;
}

/** Starts them; they connect, and come back whenever they are cut off. */
export function startCrowd(t: Teardown, options: CrowdOptions): Crowd {
  const { url, secret, prefix, size, processes } = options;
  const bound = (n: number): string => String(Math.floor((size * n) / processes));
  const children = Array.from({ length: processes }, (_, n) =>
    fork('test/faults/simulated-agents.ts', [url, secret, prefix, bound(n), bound(n + 1)], {
      execArgv: ['--import', TYPESCRIPT_LOADER],
      env: cleanEnvironment({}),
    }),
  );
  const crowd = new Crowd(children);
  t.teardown(() => crowd.stop());
  return crowd;
}

export class Crowd {
  constructor(private readonly children: readonly ChildProcess[]) {}

  async report(): Promise<AgentReport[]> {
    const reports = this.children.map(async (child) => {
      const answer = once(child, 'message') as Promise<[AgentReport[]]>;
      child.send('report');
      return (await answer)[0];
    });
    return (await Promise.all(reports)).flat();
  }

  /** Resolves when all are. */
  async connected(patienceMs?: number): Promise<void> {
    await until(
      'all agents are connected',
      async () => (await this.report()).every(({ connected }) => connected),
      patienceMs,
    );
  }

  async stop(): Promise<void> {
    const exits = this.children
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((child) => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        return exited;
      });
    await Promise.all(exits);
  }
}
