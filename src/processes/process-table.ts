// What the operating system knows about other processes, as far as it is needed to tell a process
// that is known from a stranger that was given the same pid.

import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemCode } from './system-code.js';

const execute = promisify(execFile);

/** Whether a process has this pid, whoever it is. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/**
 * Whether the process that had this pid and this birth mark still lives. Where nothing can be learned
 * about the pid's present owner, the answer is yes.
 */
export async function isAlive(pid: number, mark: string | undefined): Promise<boolean> {
  if (!isRunning(pid)) return false;
  const present = await birthMark(pid);
  if (present === ENDED) return false;
  return mark === undefined || present === undefined || present === mark;
}

/** The mark of a process that is dead and that its parent has not reaped. */
export const ENDED = 'ended';

/**
 * A text that no other process with this pid ever has, before or after a reboot; undefined when
 * nothing can be learned about the process.
 */
export async function birthMark(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return ps(pid, 'lstart');
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    // proc(5): the name, in parentheses, may hold spaces; after it come the state (field 3) and, at
    // field 22, the start in ticks since the boot.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? ENDED : `${boot.trim()}:${fields[19] ?? ''}`;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Whether a process with this mark was born since the machine started; where that is not told, the answer is yes. */
export async function isOfThisBoot(mark: string): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const own = await birthMark(process.pid);
  return own === undefined || mark.split(':')[0] === own.split(':')[0];
}

/** Whether the process is a PostgreSQL server on this folder (absolute, without links). */
export async function isServerOn(pid: number, folder: string): Promise<boolean> {
  if (process.platform !== 'linux') {
    const command = await ps(pid, 'command');
    return command !== undefined && command.includes('postgres') && command.includes(folder);
  }
  try {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8');
    // A server works inside its cluster's folder, always.
    return name.trim() === 'postgres' && (await readlink(`/proc/${pid}/cwd`)) === folder;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

async function ps(pid: number, column: string): Promise<string | undefined> {
  try {
    const { stdout } = await execute('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)]);
    return stdout.trim() === '' ? undefined : stdout.trim();
  } catch {
    return undefined; // ps ends with 1 when there is no such process.
  }
}
