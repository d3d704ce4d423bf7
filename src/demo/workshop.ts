// The simulated workshop: thirty VMs, whose agents start one after the other, and people who share
// them. Their number is fixed, and the same seeds give the same workshop.

import { setMaxListeners } from 'node:events';
import { type ApiAccess } from './api-requests.js';
import { pauseUnlessStopped } from './pause.js';
import { runPerson } from './person.js';
import { createRandom } from './random.js';
import { runAgent } from './simulated-agent.js';

export const AGENTS = 30;
/** Between the starts of two agents. */
const BOOTS_EVERY_MS = 150;

const PEOPLE =
  'ada alan annie barbara claude donald dorothy edsger evelyn frances grace hedy jean joan john karen katherine ' +
  'leslie margaret mary niklaus radia robin sophie tim tony';

/** The gateway's URL, and the tokens of agents and people. */
export interface WorkshopOptions {
  readonly url: string;
  /** Returns a token of the admin that assigns VMs. */
  readonly admin: () => string;
  /** Returns a token of the agent of this hostname. */
  readonly agent: (hostname: string) => string;
}

/** Runs until the signal is aborted; resolves when all agents and people have stopped. */
export async function runWorkshop(
  { url, admin, agent }: WorkshopOptions,
  signal: AbortSignal,
): Promise<void> {
  setMaxListeners(0, signal); // every agent and person listens to it
  const agents = Array.from({ length: AGENTS }, async (_, index) => {
    const hostname = `vm-${String(index + 1).padStart(2, '0')}`;
    await pauseUnlessStopped(index * BOOTS_EVERY_MS, signal);
    const access: ApiAccess = { url, token: () => agent(hostname), signal };
    if (!signal.aborted) await runAgent(access, hostname, createRandom(1_000 + index));
  });
  const people = PEOPLE.split(' ').map((name, index) =>
    runPerson({ url, token: admin, signal }, `${name}@workshop.example`, createRandom(index)),
  );
  await Promise.all([...agents, ...people]);
}
