// Running a command for an assignment. It is a process group of its own, and waits at a gate until its leader is
// written down: should the agent die before, nothing has run, and should it die after, whatever runs can be found.

import { spawn, type ChildProcess } from 'node:child_process';
import { open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { readLeader, type Leader } from '../processes/process-group.js';
import type { Exit } from './agent-state.js';

/** What is run, as execve(2) takes it: nothing in it is interpreted. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What it finds on stdin; undefined: nothing. */
  readonly input?: string;
  /** What it finds in the file `SCRIPT`. */
  readonly script?: string;
}

/** A command that waits at its gate. */
export interface Launched {
  readonly leader?: Leader;
  /** Begins it; resolves when its first process has ended. */
  readonly begin: () => Promise<Exit>;
}

/** The name of the file that holds `Command.script`, for the command's own processes alone. */
export const SCRIPT = '/dev/fd/4';

/** The gate opens at a line, and at the end of the file (the agent is gone) the shell ends without running anything. */
const GATE = 'read -r go <&3 && exec 3<&- && exec "$@"';

/**
 * Starts it, up to the gate.
 * @param scratch the path of a file for what it is given, which has no name any more when this resolves.
 */
export async function launch(command: Command, scratch: string): Promise<Launched> {
  const input = await nameless(scratch, command.input);
  const script = await nameless(scratch, command.script);
  try {
    const child = spawn('/bin/sh', ['-c', GATE, 'agent', command.program, ...command.args], {
      env: command.env,
      // A session, and so a group, of its own.
      detached: true,
      stdio: [input?.fd ?? 'ignore', 'inherit', 'inherit', 'pipe', script?.fd ?? 'ignore'],
    });
    const over = exitOf(child);
    const pid = await pidOf(child);
    return {
      leader: await readLeader(pid),
      begin: () => {
        const gate = child.stdio[3] as Writable;
        // It may have been killed meanwhile; how it ended is told by its exit.
        gate.on('error', () => undefined);
        gate.end('\n');
        return over;
      },
    };
  } finally {
    await input?.close();
    await script?.close();
  }
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

function pidOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
}

/**
 * A file with this content that has lost its name: it is there as a whole, however much it is, and nobody else can open
 * it. A pipe would be cut off with the agent, and its reader would take a part for the whole.
 */
async function nameless(path: string, text: string | undefined): Promise<FileHandle | undefined> {
  if (text === undefined) return undefined;
  // One may be left from an agent that was killed.
  await rm(path, { force: true });
  try {
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
    return await open(path, 'r');
  } finally {
    await rm(path, { force: true });
  }
}
