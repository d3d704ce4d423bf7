// Starts PostgreSQL's own programs. They always run as the cluster's account, with a fixed
// environment (no PG* variable and no secret leaks in), and outside the terminal's process group:
// Ctrl-C reaches only the gateway, and the server stays up while sessions drain.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Account } from './account.js';

/** A program that replaces itself by another one (exec), and its own arguments. */
export interface Wrapper {
  readonly program: string;
  readonly args: readonly string[];
}

/** What to run, as which account, and where its output goes. */
export interface ProgramOptions {
  readonly program: string;
  /** Started instead, with the program and its arguments appended. */
  readonly wrapper?: Wrapper | undefined;
  /** Called with the path under which the program finds `folder`. */
  readonly args: (folder: string) => string[];
  readonly account: Account | undefined;
  /** The cluster's folder, absolute. */
  readonly folder: string;
  /** A file descriptor for stdout and stderr, or a pipe that the caller reads. */
  readonly output: number | 'pipe';
}

/**
 * Starts one program. Another account may be unable to enter the folders above `folder` (a project
 * in a 0700 home), so the program inherits `folder` as the open descriptor 3, and `/proc/self/fd/3`
 * resolves without those folders. (`/proc/self/cwd` does not work: PostgreSQL before 16 changes its
 * working directory while it starts.)
 *
 * Returns before the program runs, so that the caller misses no event; the caller handles `error`.
 */
export function spawnProgram(options: ProgramOptions): ChildProcess {
  if (options.account === undefined) return spawnOn(options, options.folder, []);
  const folder = openSync(options.folder, 'r');
  try {
    return spawnOn(options, '/proc/self/fd/3', [folder]);
  } finally {
    closeSync(folder);
  }
}

function spawnOn(options: ProgramOptions, folder: string, inherited: number[]): ChildProcess {
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

/** How a program ended, and what it printed on both streams. */
export interface ProgramResult {
  readonly code: number | null;
  readonly output: string;
}

/**
 * Runs one program to its end.
 *
 * @throws an error of the system if the program cannot be started (its `code` says why).
 */
export async function runProgram(options: Omit<ProgramOptions, 'output'>): Promise<ProgramResult> {
  const child = spawnProgram({ ...options, output: 'pipe' });
  const parts: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => parts.push(part));
  child.stderr?.on('data', (part: Buffer) => parts.push(part));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', reject);
  });
  return { code, output: Buffer.concat(parts).toString().trim() };
}
