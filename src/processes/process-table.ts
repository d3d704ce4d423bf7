// What the operating system knows about other processes: enough to distinguish a known process from
// a later one with the same pid.

import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { readSystemCode } from './system-code.js';

const execute = promisify(execFile);

/** Whether any process has this pid. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return readSystemCode(error) === 'EPERM';
  }
}

/**
 * Whether the process that had this pid and this process start is alive. True if the system says
 * nothing about the process that has the pid now.
 */
export async function isAlive(pid: number, start: string | undefined): Promise<boolean> {
  if (!isRunning(pid)) return false;
  const present = await readProcessStart(pid);
  if (present === ZOMBIE) return false;
  return start === undefined || present === undefined || present === start;
}

/**
 * The process start of a zombie: a process that has ended and whose parent has not waited for it.
 */
export const ZOMBIE = 'ended';

/**
 * Reads when the process started, as a text that no other process with this pid ever has, before or
 * after a reboot. Undefined if the system says nothing about the process.
 */
export async function readProcessStart(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return readPsColumn(pid, 'lstart');
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    // proc(5): the name, in parentheses, may hold spaces. After it come the state (field 3) and, as
    // field 22, the start in ticks since the boot.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? ZOMBIE : `${boot.trim()}:${fields[19] ?? ''}`;
  } catch (error) {
    if (readSystemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Whether this process start is after the machine's last boot; true if the system does not say. */
export async function startedThisBoot(start: string): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const own = await readProcessStart(process.pid);
  return own === undefined || start.split(':')[0] === own.split(':')[0];
}

/** Whether the process is a PostgreSQL server on this folder (absolute, without symlinks). */
export async function isServerOn(pid: number, folder: string): Promise<boolean> {
  if (process.platform !== 'linux') {
    const command = await readPsColumn(pid, 'command');
    return command !== undefined && command.includes('postgres') && command.includes(folder);
  }
  try {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8');
    // The working directory of a server is always its cluster's folder.
    return name.trim() === 'postgres' && (await readlink(`/proc/${pid}/cwd`)) === folder;
  } catch (error) {
    if (readSystemCode(error) === undefined) throw error;
    return false;
  }
}

async function readPsColumn(pid: number, column: string): Promise<string | undefined> {
  try {
    const { stdout } = await execute('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)]);
    return stdout.trim() === '' ? undefined : stdout.trim();
  } catch {
    return undefined; // ps ends with 1 if there is no such process.
  }
}
