// An agent that runs nothing: it registers its VM, watches it, acknowledges what it is given, and says how the command
// that it did not run has ended. Now and then its machine fails, or it is away for a while.

import { createClient, type VmWatch } from '../client/index.js';
import { pause, register, reportEnd, type Operator } from './operator.js';
import { between, type Random } from './random.js';

/** How often it fails, of its assignments; and how long it takes to say so, and to be mended. */
const FAILS = 0.14;
const FAILS_AFTER_MS = [6_000, 25_000] as const;
const MENDED_AFTER_MS = [12_000, 30_000] as const;
/** How long it takes to start what it was given, and to say that it has it. */
const ACKNOWLEDGES_AFTER_MS = [40, 450] as const;
/** How long a command runs. */
const RUNS_MS = [15_000, 60_000] as const;
/** How long it stays connected, and is away. */
const STAYS_MS = [60_000, 240_000] as const;
const AWAY_MS = [4_000, 14_000] as const;

/** Lives until the operator's signal. */
export async function runAgent(
  operator: Operator,
  hostname: string,
  random: Random,
): Promise<void> {
  await register(operator, hostname);
  const { url, token, signal } = operator;
  while (!signal.aborted) {
    const session = new AbortController();
    const leave = (): void => session.abort();
    signal.addEventListener('abort', leave, { once: true });
    const watch = createClient({ url, token, signal: session.signal }).watchVm(hostname);
    const working = work({ ...operator, signal: session.signal }, watch, random);
    await pause(between(random, STAYS_MS), signal);
    leave();
    await Promise.all([working, watch.closed]);
    signal.removeEventListener('abort', leave);
    await pause(between(random, AWAY_MS), signal);
  }
}

/** Handles what it is told, one after the other, until its session ends. */
async function work(operator: Operator, watch: VmWatch, random: Random): Promise<void> {
  const seen = new Set<string>();
  const errands: Promise<void>[] = [];
  // What ends it is no failure of the demo's: the gateway's end, or its refusal.
  try {
    for await (const message of watch) {
      if (message.type === 'status' && message.vm.status === 'failed')
        errands.push(mend(operator, watch, random));
      if (message.type !== 'assignment' || message.vm.assignment_id === null) continue;
      const { assignment_id: assignmentId } = message.vm;
      if (seen.has(assignmentId)) continue;
      seen.add(assignmentId);
      errands.push(carryOut(operator, watch, assignmentId, random));
    }
  } catch {
    watch.close();
  }
  await Promise.all(errands);
}

async function carryOut(
  operator: Operator,
  watch: VmWatch,
  assignmentId: string,
  random: Random,
): Promise<void> {
  const { signal } = operator;
  await pause(between(random, ACKNOWLEDGES_AFTER_MS), signal);
  watch.acknowledge(assignmentId);
  const fails = random() < FAILS;
  await pause(between(random, fails ? FAILS_AFTER_MS : RUNS_MS), signal);
  if (signal.aborted || !isCurrent(watch, assignmentId)) return;
  const outcome = fails ? 'failed' : 'succeeded';
  await reportEnd(operator, assignmentId, { outcome, exit_code: fails ? 1 : 0 });
  if (fails) watch.reportStatus('failed', assignmentId);
}

async function mend({ signal }: Operator, watch: VmWatch, random: Random): Promise<void> {
  await pause(between(random, MENDED_AFTER_MS), signal);
  if (!signal.aborted) watch.reportStatus('available');
}

function isCurrent({ state }: VmWatch, assignmentId: string): boolean {
  return state?.type === 'assignment' && state.vm.assignment_id === assignmentId;
}
