// Process groups: what a command has started, whatever it is, as long as it did not leave the group. A group is known by
// its leader, and found again after the leader's end, and after the end of whoever started it: its number belongs to no
// new process while anyone of the group is left.

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Type, type Static } from 'typebox';
import { birthMark, ENDED, isOfThisBoot } from './process-table.js';
import { systemCode } from './system-code.js';

/** The process whose pid is its group's number. */
export const Leader = Type.Object({
  pid: Type.Integer({ minimum: 1 }),
  /** Tells it from a later process with its pid; absent where the system does not say. */
  birth_mark: Type.Optional(Type.String()),
});
export type Leader = Static<typeof Leader>;

const POLL_MS = 50;
/** How long those who were sent SIGKILL may stay before it is told that they do. */
const STUCK_MS = 5_000;

/** The leader that has this pid now. */
export async function leaderOf(pid: number): Promise<Leader> {
  const mark = await birthMark(pid);
  return mark === undefined || mark === ENDED ? { pid } : { pid, birth_mark: mark };
}

/** Whether anyone of the leader's group is left. The dead whom nobody reaped are not. */
export async function isGroupLeft({ pid, birth_mark: mark }: Leader): Promise<boolean> {
  if (signalGroup(pid, 0) === 'gone') return false;
  if (mark !== undefined && !(await isOfThisBoot(mark))) return false;
  const present = await birthMark(pid);
  // Another process has the number: nobody was left of the group when it got it.
  if (mark !== undefined && present !== undefined && present !== ENDED && present !== mark)
    return false;
  return hasLivingMember(pid);
}

/**
 * Ends the group: SIGTERM, and SIGKILL for who is left after `graceMs`. Resolves when nobody is.
 * @param onStuck told once, if even SIGKILL does not end them.
 */
export async function endGroup(
  leader: Leader,
  graceMs: number,
  onStuck: () => void = () => undefined,
): Promise<void> {
  if (!(await isGroupLeft(leader))) return;
  signalGroup(leader.pid, 'SIGTERM');
  const killAtMs = performance.now() + graceMs;
  let stuck = false;
  while (await isGroupLeft(leader)) {
    const lateMs = performance.now() - killAtMs;
    // Again and again: one of them may have forked in between.
    if (lateMs >= 0) signalGroup(leader.pid, 'SIGKILL');
    if (lateMs > STUCK_MS && !stuck) onStuck();
    stuck ||= lateMs > STUCK_MS;
    await sleep(POLL_MS);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): 'sent' | 'gone' {
  try {
    process.kill(-pid, signal);
    return 'sent';
  } catch (error) {
    // EPERM: there is somebody, who belongs to another user.
    return systemCode(error) === 'ESRCH' ? 'gone' : 'sent';
  }
}

async function hasLivingMember(group: number): Promise<boolean> {
  const states = process.platform === 'linux' ? statesFromProc(group) : statesFromPs(group);
  for await (const state of states) if (!/^[ZX]/.test(state)) return true;
  return false;
}

/** The states of the group's members. proc(5): after the name, in parentheses, come state, parent and group. */
async function* statesFromProc(group: number): AsyncGenerator<string> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // It may be gone by now.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const [state = '', , of] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(of) === group) yield state;
  }
}

async function* statesFromPs(group: number): AsyncGenerator<string> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pgid=,state=']);
  for (const line of stdout.split('\n')) {
    const [of, state = ''] = line.trim().split(/\s+/);
    if (Number(of) === group) yield state;
  }
}
