// A person of the workshop: comes, asks for a VM, works with it, gives it back, and after a while comes again. One whose
// VM failed asks for another.

import { assign, pause, release, type Operator } from './operator.js';
import { between, type Random } from './random.js';

/** Everyone joins within the first minute. */
const JOINS_MS = [2_000, 40_000] as const;
const WORKS_MS = [30_000, 120_000] as const;
const RESTS_MS = [10_000, 45_000] as const;
/** Between two looks at whether there is a VM again. */
const ASKS_AGAIN_MS = [3_000, 8_000] as const;

/** Lives until the operator's signal. */
export async function runPerson(operator: Operator, email: string, random: Random): Promise<void> {
  const { signal } = operator;
  await pause(between(random, JOINS_MS), signal);
  while (!signal.aborted) {
    const code = Math.floor(random() * 0xffff_ffff).toString(16);
    const seat = await assign(operator, email, `start-host --code=${code}`);
    if (seat === undefined) {
      await pause(between(random, ASKS_AGAIN_MS), signal);
      continue;
    }
    await pause(between(random, WORKS_MS), signal);
    await release(operator, seat.assignment_id);
    await pause(between(random, RESTS_MS), signal);
  }
}
