// The verdict on a soak: what the checkers found, the assignments that the agents ran, and the
// presence that the dashboards know.

import { listening } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';
import { PATIENCE_MS, type SoakWorld } from './soak-world.js';
import { HOSTNAMES } from './writers.js';

const GATEWAYS = 2;

/** Everyone is back; the table goes on changing, or not. */
export async function settleSoak({ steady, mortal, crowd, database }: SoakWorld): Promise<void> {
  for (const { url } of [steady, mortal]) {
    await until(
      'the gateway is ready',
      async () => (await fetch(`${url}/health/ready`)).ok,
      PATIENCE_MS,
    );
  }
  await crowd.connected(PATIENCE_MS);
  await until(
    'each gateway listens once',
    async () => (await listening(database)).length === GATEWAYS,
    PATIENCE_MS,
  );
}

/** Returns what was wrong, in words. */
export async function judgeSoak({ checkers, crowd, database }: SoakWorld): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, checker] of Object.entries(checkers)) {
    for (const { kind, client, about } of await checker.violations(database))
      wrong.push(`${name}: ${client}: ${kind}, ${about}`);
    console.log(`${name}: its clients needed ${checker.sockets} sockets`);
  }
  const current = await database.query<{ hostname: string; assignment_id: string | null }>(
    `SELECT hostname, assignment_id FROM vms WHERE hostname LIKE 'agent-%'`,
  );
  const assigned = new Map(current.map((row) => [row.hostname, row.assignment_id]));
  let runs = 0;
  for (const agent of await crowd.report()) {
    runs += agent.runs.length;
    const now = assigned.get(agent.hostname);
    if (typeof now === 'string' && agent.runs.at(-1) !== now)
      wrong.push(`${agent.hostname} missed its assignment`);
    if (new Set(agent.runs).size !== agent.runs.length)
      wrong.push(`${agent.hostname} ran an assignment twice`);
  }
  console.log(`agents ran ${runs} assignments`);
  return [...wrong, ...(await presenceVerdict({ checkers, crowd }))];
}

/** Every connected agent is known to be online, and every other agent to be offline. */
async function presenceVerdict({
  checkers,
  crowd,
}: Pick<SoakWorld, 'checkers' | 'crowd'>): Promise<string[]> {
  const watched = new Set(HOSTNAMES);
  const all = new Set([...watched, ...(await crowd.report()).map(({ hostname }) => hostname)]);
  const wrong: string[] = [];
  const expect = async (online: ReadonlySet<string>): Promise<void> => {
    for (const [name, checker] of Object.entries(checkers))
      await checker.knowOnline(online).catch((error: unknown) => {
        wrong.push(`${name}, ${online.size} being online: ${String(error)}`);
      });
  };
  await expect(all);
  await crowd.stop();
  await expect(watched);
  console.log(
    `${all.size} agents were known to be online, and ${watched.size} when the rest had left`,
  );
  return wrong;
}
