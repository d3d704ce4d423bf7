// The process of an assignment's command. It has a process group of its own, and waits at a start
// barrier until its leader is in the journal. An agent that is killed earlier has run nothing; an
// agent that is killed later has left a record by which the next agent finds the group.

import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { readLeader, type Leader } from '../processes/process-group.js';
import type { Exit } from './agent-state.js';

/** The arguments of execve(2): no part of them is interpreted. */
export interface CommandSpec {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The content of stdin; stdin is empty if it is undefined. */
  readonly input?: string;
  /** The content of the file `SCRIPT`. */
  readonly script?: string;
}

/** A command that waits at the start barrier. */
export interface LaunchedCommand {
  readonly leader?: Leader;
  /** Opens the barrier; resolves when the first process has exited. */
  readonly start: () => Promise<Exit>;
}

/** The name of the file with `CommandSpec.script`; only the command's processes can open it. */
export const SCRIPT = '/dev/fd/4';

/**
 * The start barrier: the shell waits for a line. If the file ends first, because the agent has
 * ended, the shell exits and runs nothing.
 */
const BARRIER = 'read -r go <&3 && exec 3<&- && exec "$@"';

/**
 * Creates the process, up to the start barrier.
 * @param scratch a path for files with the command's input. They are unlinked when this resolves.
 */
export async function launchCommand(
  command: CommandSpec,
  scratch: string,
): Promise<LaunchedCommand> {
  const input = await createUnlinkedFile(scratch, command.input);
  const script = await createUnlinkedFile(scratch, command.script);
  try {
    const child = spawn('/bin/sh', ['-c', BARRIER, 'agent', command.program, ...command.args], {
      env: command.env,
      // A session, and so a process group, of its own.
      detached: true,
      stdio: [input?.fd ?? 'ignore', 'inherit', 'inherit', 'pipe', script?.fd ?? 'ignore'],
    });
    const exited = waitForExit(child);
    const pid = await waitForPid(child);
    return {
      leader: await readLeader(pid),
      start: () => {
        const barrier = child.stdio[3] as Writable;
        // The process may have been killed at the barrier; its exit says so.
        barrier.on('error', () => undefined);
        barrier.end('\n');
        return exited;
      },
    };
  } finally {
    await input?.close();
    await script?.close();
  }
}

function waitForExit(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

function waitForPid(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
}

/**
 * Opens a file with this content and removes its name, so that no other process can open it. A
 * pipe would break with the agent, and its reader would take a part of the content for all of it.
 */
async function createUnlinkedFile(
  path: string,
  text: string | undefined,
): Promise<FileHandle | undefined> {
  if (text === undefined) return undefined;
  // A killed agent may have left a file.
  await rm(path, { force: true });
  try {
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } finally {
    await rm(path, { force: true });
  }
}
