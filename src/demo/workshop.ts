// A workshop: thirty VMs whose agents come up one after the other, and the people who share them. So many and no more,
// however long it goes on, and the same every time.

import { setMaxListeners } from 'node:events';
import { pause, type Operator } from './operator.js';
import { runPerson } from './person.js';
import { randomFrom } from './random.js';
import { runAgent } from './simulated-agent.js';

export const AGENTS = 30;
/** Between two machines that have booted. */
const BOOTS_EVERY_MS = 150;

const PEOPLE =
  'ada alan annie barbara claude donald dorothy edsger evelyn frances grace hedy jean joan john karen katherine ' +
  'leslie margaret mary niklaus radia robin sophie tim tony';

/** Who the simulated are to the gateway. */
export interface Cast {
  readonly url: string;
  /** A token of the admin that assigns VMs. */
  readonly admin: () => string;
  /** A token of the agent of this hostname. */
  readonly agent: (hostname: string) => string;
}

/** Goes on until the signal; resolves when everyone has gone. */
export async function runWorkshop({ url, admin, agent }: Cast, signal: AbortSignal): Promise<void> {
  setMaxListeners(0, signal); // each of the cast waits for it
  const agents = Array.from({ length: AGENTS }, async (_, index) => {
    const hostname = `vm-${String(index + 1).padStart(2, '0')}`;
    await pause(index * BOOTS_EVERY_MS, signal);
    const operator: Operator = { url, token: () => agent(hostname), signal };
    if (!signal.aborted) await runAgent(operator, hostname, randomFrom(1_000 + index));
  });
  const people = PEOPLE.split(' ').map((name, index) =>
    runPerson({ url, token: admin, signal }, `${name}@workshop.example`, randomFrom(index)),
  );
  await Promise.all([...agents, ...people]);
}
