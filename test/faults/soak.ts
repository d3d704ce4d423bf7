// The soak: minutes of load and of one fault after the other, drawn at random, and then the
// verdict. Exits with 1 where a client was shown what is not so, a dashboard the wrong presence, an
// agent missed an assignment or ran one twice, or the gateway's memory or descriptors grew. `npm
// run soak -- --minutes 10 --seed 1`.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { listening } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';
import { answersAgain, SOAK_FAULTS } from './soak-faults.js';
import { startSoakWorld, type SoakWorld } from './soak-world.js';
import { HOSTNAMES } from './writers.js';
import { describeVitals, describeGrowth, takeVitals } from './vitals.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});

/** Between the end of a fault and the next. */
const LONGEST_PAUSE_MS = 4_000;
const GATEWAYS = 2;

const stops: (() => unknown)[] = [];

try {
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes} is no time`);
  const wrong = await soak(minutes * 60_000, Number(values.seed));
  for (const what of wrong) console.log(`WRONG: ${what}`);
  console.log(wrong.length === 0 ? 'The soak found nothing wrong.' : `${wrong.length} found.`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function soak(forMs: number, seed: number): Promise<string[]> {
  const world = await startSoakWorld({ teardown: (stop) => stops.push(stop) });
  let over = false;
  const writing = world.write(() => over);
  // Every code path once, so that what is measured is growth and no start.
  for (const [name, befall] of Object.entries(SOAK_FAULTS)) await suffer(name, befall, world);
  await settled(world);
  const before = await takeVitals(world.steady);
  console.log(`begin: ${describeVitals(before)}; seed ${seed}`);

  const counts = await sufferAtRandom(world, seed, performance.now() + forMs);
  over = true;
  await writing;
  await settled(world);
  const after = await takeVitals(world.steady);
  console.log(`end:   ${describeVitals(after)}`);
  for (const [name, count] of counts) console.log(`${String(count).padStart(4)} × ${name}`);
  return [...(await verdict(world)), ...describeGrowth(before, after)];
}

async function suffer(
  name: string,
  befall: (world: SoakWorld) => Promise<unknown>,
  world: SoakWorld,
): Promise<void> {
  await answersAgain(world);
  await befall(world).catch((cause: unknown) => {
    throw new Error(`could not be brought about: ${name}`, { cause });
  });
}

/** Faults one after the other, with pauses in which all may or may not settle. */
async function sufferAtRandom(
  world: SoakWorld,
  seed: number,
  untilMs: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const draw = fc.tuple(
    fc.constantFrom(...Object.entries(SOAK_FAULTS)),
    fc.integer({ min: 0, max: LONGEST_PAUSE_MS }),
  );
  for (const [[name, befall], pauseMs] of fc.sample(draw, { seed, numRuns: 10_000 })) {
    if (performance.now() > untilMs) break;
    await suffer(name, befall, world);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    await sleep(pauseMs);
  }
  return counts;
}

/** Everyone is back and knows the table; it goes on changing, or not. */
async function settled({ steady, mortal, crowd, database }: SoakWorld): Promise<void> {
  for (const { url } of [steady, mortal]) {
    await until('the gateway is ready', async () => (await fetch(`${url}/health/ready`)).ok);
  }
  await crowd.connected();
  await until(
    'each gateway listens once',
    async () => (await listening(database)).length === GATEWAYS,
  );
}

async function verdict({ checkers, crowd, database }: SoakWorld): Promise<string[]> {
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
