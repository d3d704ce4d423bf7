// Process groups: all processes that a command has started, unless they left the group. A group is
// identified by its leader, and is found after the leader and its parent have ended: the system
// gives a group's number to no new process while a member is left.

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Type, type Static } from 'typebox';
import { readProcessStart, startedThisBoot, ZOMBIE } from './process-table.js';
import { readSystemCode } from './system-code.js';

/** The process whose pid is its group's number, as an agent's state file stores it. */
export const Leader = Type.Object({
  pid: Type.Integer({ minimum: 1 }),
  /** The process start: distinguishes the leader from a later process with its pid. */
  birth_mark: Type.Optional(Type.String()),
});
export type Leader = Static<typeof Leader>;

const POLL_MS = 50;
/** How long processes may stay after SIGKILL before `onStuck` is called. */
const STUCK_MS = 5_000;

/** Describes the process that has this pid now as the leader of a group. */
export async function readLeader(pid: number): Promise<Leader> {
  const start = await readProcessStart(pid);
  return start === undefined || start === ZOMBIE ? { pid } : { pid, birth_mark: start };
}

/** Whether any member of the leader's group is alive. Zombies do not count. */
export async function isGroupAlive({ pid, birth_mark: start }: Leader): Promise<boolean> {
  if (signalGroup(pid, 0) === 'gone') return false;
  if (start !== undefined && !(await startedThisBoot(start))) return false;
  const present = await readProcessStart(pid);
  // Another process has the number, so the group was empty when that process got it.
  if (start !== undefined && present !== undefined && present !== ZOMBIE && present !== start)
    return false;
  return hasLivingMember(pid);
}

/**
 * Ends the group: SIGTERM first, and SIGKILL after `graceMs` for processes that are left. Resolves
 * when the group is empty.
 *
 * @param onStuck called once if processes survive SIGKILL for 5 seconds.
 */
export async function endGroup(
  leader: Leader,
  graceMs: number,
  onStuck: () => void = () => undefined,
): Promise<void> {
  if (!(await isGroupAlive(leader))) return;
  signalGroup(leader.pid, 'SIGTERM');
  const killAtMs = performance.now() + graceMs;
  let stuck = false;
  while (await isGroupAlive(leader)) {
    const lateMs = performance.now() - killAtMs;
    // SIGKILL is repeated, because a member may have forked in between.
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
    // EPERM: the group has members, which belong to another user.
    return readSystemCode(error) === 'ESRCH' ? 'gone' : 'sent';
  }
}

async function hasLivingMember(group: number): Promise<boolean> {
  const states = process.platform === 'linux' ? readStatesFromProc(group) : readStatesFromPs(group);
  for await (const state of states) if (!/^[ZX]/.test(state)) return true;
  return false;
}

/** Reads the members' states. proc(5): state, parent and group follow the name, in parentheses. */
async function* readStatesFromProc(group: number): AsyncGenerator<string> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // The process may have ended since.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const [state = '', , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(processGroup) === group) yield state;
  }
}

async function* readStatesFromPs(group: number): AsyncGenerator<string> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pgid=,state=']);
  for (const line of stdout.split('\n')) {
    const [processGroup, state = ''] = line.trim().split(/\s+/);
    if (Number(processGroup) === group) yield state;
  }
}
