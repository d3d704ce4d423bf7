// Starts PostgreSQL's own programs. What always holds: they run as the cluster's account, with an
// environment of ours (no PG* variable and no secret leaks in), and outside the terminal's process
// group, so that Ctrl-C reaches the gateway alone and the server outlives the drain.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Account } from './account.js';

/** A program that runs another one in its place, and its own arguments. */
export interface Wrapper {
  readonly program: string;
  readonly args: readonly string[];
}

export interface Launch {
  readonly program: string;
  /** Started instead, with the program and its arguments behind it. */
  readonly wrapper?: Wrapper | undefined;
  /** Gets the name under which the program finds `folder`. */
  readonly args: (folder: string) => string[];
  readonly account: Account | undefined;
  /** The cluster's folder, absolute. */
  readonly folder: string;
  /** Where its output goes: a file descriptor, or a pipe that the caller reads. */
  readonly output: number | 'pipe';
}

/**
 * Starts one program. Another account may not be able to walk to the folder (a project below a 0700
 * home), so it inherits the folder opened, as descriptor 3: `/proc/self/fd/3` leads straight to it.
 * (`/proc/self/cwd` would not do: PostgreSQL before 16 leaves its working directory while starting.)
 *
 * It returns before the program runs, so that no event is missed; the caller listens for `error`.
 */
export function launch(options: Launch): ChildProcess {
  if (options.account === undefined) return started(options, options.folder, []);
  const folder = openSync(options.folder, 'r');
  try {
    return started(options, '/proc/self/fd/3', [folder]);
  } finally {
    closeSync(folder);
  }
}

function started(options: Launch, folder: string, inherited: number[]): ChildProcess {
  const { program, wrapper } = options;
  const before = wrapper === undefined ? [] : [...wrapper.args, program];
  return spawn(wrapper?.program ?? program, [...before, ...options.args(folder)], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    stdio: ['ignore', options.output, options.output, ...inherited],
    detached: true,
    ...options.account,
  });
}

/** What a program that ran to its end left behind. */
export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/**
 * Runs one program to its end and keeps what it printed, on both streams.
 *
 * @throws an error of the system when the program cannot be started (its `code` says why).
 */
export async function runToEnd(options: Omit<Launch, 'output'>): Promise<Outcome> {
  const child = launch({ ...options, output: 'pipe' });
  const parts: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => parts.push(part));
  child.stderr?.on('data', (part: Buffer) => parts.push(part));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', reject);
  });
  return { code, output: Buffer.concat(parts).toString().trim() };
}
