// The command as a process of its own, as people run it: from `dist`, with an environment of its
// own.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Teardown } from './database.js';

export const MAIN = resolve('dist/main.js');

/** An environment in which nothing of the machine's names a database or a secret. */
export function cleanEnvironment(values: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, ...values };
}

/** A folder that is removed with the test. */
export async function temporaryFolder(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lablink-cli-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export class Program {
  stdout = '';
  stderr = '';
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #output: () => void = () => undefined;
  #ended = false;

  constructor(readonly child: ChildProcess) {
    child.stdout?.on('data', (data: Buffer) => {
      this.stdout += data.toString();
      this.#output();
    });
    child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data.toString();
      this.#output();
    });
    this.exited = once(child, 'close').then(([code, signal]: unknown[]) => {
      this.#ended = true;
      this.#output();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  /**
   * Resolves with what `find` gives once it gives something; rejects when the program has ended
   * without.
   */
  async until<T>(find: (program: this) => T | null | undefined | false): Promise<T> {
    for (;;) {
      const found = find(this);
      if (found !== null && found !== undefined && found !== false) return found;
      if (this.#ended) throw new Error(`the program ended: ${this.stdout}\n${this.stderr}`);
      await new Promise<void>((done) => (this.#output = done));
    }
  }
}

/** Starts a program; it is killed with the test if it still runs. */
export function run(
  t: Teardown,
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Program {
  const child = spawn(command, args, {
    env: cleanEnvironment(options.env ?? {}),
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: what a shell has started ends with it.
    detached: true,
  });
  const program = new Program(child);
  t.teardown(async () => {
    killGroup(child);
    await program.exited;
  });
  return program;
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Resolves when no process of the group is left.
  }
}

/** Starts the command itself. */
export function runCommand(
  t: Teardown,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd?: string,
): Program {
  return run(t, process.execPath, [MAIN, ...args], { env, ...(cwd === undefined ? {} : { cwd }) });
}
