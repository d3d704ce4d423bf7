// A simulated person of the workshop, who asks for a VM, works with it, releases it, and returns
// after a while.

import { requestVm, releaseVm, type DemoAccess } from './api-requests.js';
import { pauseUnlessStopped } from './pause.js';
import { pickBetween, type Random } from './random.js';

/** All people join within the first minute. */
const JOINS_MS = [2_000, 40_000] as const;
const WORKS_MS = [30_000, 120_000] as const;
const RESTS_MS = [10_000, 45_000] as const;
/** The pause before another request if no VM is free. */
const ASKS_AGAIN_MS = [3_000, 8_000] as const;

/** Runs until the signal is aborted. */
export async function runPerson(access: DemoAccess, email: string, random: Random): Promise<void> {
  const { signal, speed } = access;
  await pauseUnlessStopped(pickBetween(random, JOINS_MS) / speed, signal);
  while (!signal.aborted) {
    const code = Math.floor(random() * 0xffff_ffff).toString(16);
    const assignment = await requestVm(access, email, `start-host --code=${code}`);
    if (assignment === undefined) {
      await pauseUnlessStopped(pickBetween(random, ASKS_AGAIN_MS) / speed, signal);
      continue;
    }
    await pauseUnlessStopped(pickBetween(random, WORKS_MS) / speed, signal);
    await releaseVm(access, assignment.assignment_id);
    await pauseUnlessStopped(pickBetween(random, RESTS_MS) / speed, signal);
  }
}
