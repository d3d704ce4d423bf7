// A simulated agent. It registers its VM, watches it, acknowledges assignments, and reports how
// commands ended, but runs nothing. Sometimes its VM fails, or it is disconnected for a while.

import { createClient, type VmWatch } from '../client/index.js';
import { register, reportEnd, type DemoAccess } from './api-requests.js';
import { pauseUnlessStopped } from './pause.js';
import { pickBetween, type Random } from './random.js';

/** The share of assignments that fail, when a failure is reported, and when it is repaired. */
const FAILURE_SHARE = 0.14;
const FAILURE_AFTER_MS = [6_000, 25_000] as const;
const REPAIRED_AFTER_MS = [12_000, 30_000] as const;
/** How long an assignment takes to be acknowledged. */
const ACKNOWLEDGES_AFTER_MS = [40, 450] as const;
/** How long a command runs. */
const RUNS_MS = [15_000, 60_000] as const;
/** How long the agent stays connected, and disconnected. */
const STAYS_MS = [60_000, 240_000] as const;
const AWAY_MS = [4_000, 14_000] as const;

/** Runs until the signal is aborted. */
export async function runAgent(
  access: DemoAccess,
  hostname: string,
  random: Random,
): Promise<void> {
  await register(access, hostname);
  const { url, token, signal, speed } = access;
  while (!signal.aborted) {
    const session = new AbortController();
    const leave = (): void => session.abort();
    signal.addEventListener('abort', leave, { once: true });
    const watch = createClient({ url, token, signal: session.signal }).watchVm(hostname);
    const working = work({ ...access, signal: session.signal }, watch, random);
    await pauseUnlessStopped(pickBetween(random, STAYS_MS) / speed, signal);
    leave();
    await Promise.all([working, watch.closed]);
    signal.removeEventListener('abort', leave);
    await pauseUnlessStopped(pickBetween(random, AWAY_MS) / speed, signal);
  }
}

/** Handles the messages until the session ends. */
async function work(access: DemoAccess, watch: VmWatch, random: Random): Promise<void> {
  const seen = new Set<string>();
  const tasks: Promise<void>[] = [];
  // The iteration throws if the gateway rejects the agent, which is no failure of the demo.
  try {
    for await (const message of watch) {
      if (message.type === 'status' && message.vm.status === 'failed')
        tasks.push(repair(access, watch, random));
      if (message.type !== 'assignment' || message.vm.assignment_id === null) continue;
      const { assignment_id: assignmentId } = message.vm;
      if (seen.has(assignmentId)) continue;
      seen.add(assignmentId);
      tasks.push(carryOutAssignment(access, watch, assignmentId, random));
    }
  } catch {
    watch.close();
  }
  await Promise.all(tasks);
}

async function carryOutAssignment(
  access: DemoAccess,
  watch: VmWatch,
  assignmentId: string,
  random: Random,
): Promise<void> {
  const { signal, speed } = access;
  await pauseUnlessStopped(pickBetween(random, ACKNOWLEDGES_AFTER_MS) / speed, signal);
  watch.acknowledge(assignmentId);
  const fails = random() < FAILURE_SHARE;
  await pauseUnlessStopped(pickBetween(random, fails ? FAILURE_AFTER_MS : RUNS_MS) / speed, signal);
  if (signal.aborted || !isCurrent(watch, assignmentId)) return;
  const outcome = fails ? 'failed' : 'succeeded';
  await reportEnd(access, assignmentId, { outcome, exit_code: fails ? 1 : 0 });
  if (fails) watch.reportStatus('failed', assignmentId);
}

async function repair(
  { signal, speed }: DemoAccess,
  watch: VmWatch,
  random: Random,
): Promise<void> {
  await pauseUnlessStopped(pickBetween(random, REPAIRED_AFTER_MS) / speed, signal);
  if (!signal.aborted) watch.reportStatus('available');
}

function isCurrent({ state }: VmWatch, assignmentId: string): boolean {
  return state?.type === 'assignment' && state.vm.assignment_id === assignmentId;
}
