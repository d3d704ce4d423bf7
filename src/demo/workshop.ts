// The simulated workshop: VMs, thirty by default, whose agents start one after the other, and
// people who share them. The same seeds give the same workshop.

import { setMaxListeners } from 'node:events';
import { type DemoAccess } from './api-requests.js';
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
  readonly vms: number;
  /** How many times faster than real people and commands. */
  readonly speed: number;
}

/** Runs until the signal is aborted; resolves when all agents and people have stopped. */
export async function runWorkshop(
  { url, admin, agent, vms, speed }: WorkshopOptions,
  signal: AbortSignal,
): Promise<void> {
  setMaxListeners(0, signal); // every agent and person listens to it
  const agents = Array.from({ length: vms }, async (_, index) => {
    const hostname = `vm-${String(index + 1).padStart(2, '0')}`;
    await pauseUnlessStopped((index * BOOTS_EVERY_MS) / speed, signal);
    const access: DemoAccess = { url, token: () => agent(hostname), signal, speed };
    if (!signal.aborted) await runAgent(access, hostname, createRandom(1_000 + index));
  });
  const names = PEOPLE.split(' ');
  // As many people for each VM as in the workshop of thirty.
  const count = Math.ceil((vms * names.length) / AGENTS);
  const people = Array.from({ length: count }, (_, index) => {
    const name = names[index % names.length] ?? '';
    const number = index < names.length ? '' : String(Math.floor(index / names.length) + 1);
    const email = `${name}${number}@workshop.example`;
    return runPerson({ url, token: admin, signal, speed }, email, createRandom(index));
  });
  await Promise.all([...agents, ...people]);
}
