// The endurance run: very many changes, LISTEN sessions that are ended and gateways that are killed
// all the while, then the verdict. Bounded by counts instead of minutes. Exits with 1 if a client
// was shown what is not so, an agent missed an assignment or ran one twice, or a gateway said that
// it is ready without the latest change. `npm run endurance -- --changes 1000000 --listeners 1000
// --kills 100 --seed 1`.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { ReadinessProbe } from './readiness-probe.js';
import { terminateListeners } from './server-faults.js';
import { judgeSoak, settleSoak } from './soak-verdict.js';
import { startSoakWorld, type SoakWorld } from './soak-world.js';

const { values } = parseArgs({
  options: {
    changes: { type: 'string', default: '1000000' },
    listeners: { type: 'string', default: '1000' },
    kills: { type: 'string', default: '100' },
    /** Ends sooner, and says what was reached. */
    minutes: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});

/** Changes between two faults. */
const ROUND = 1_000;
/** A killed gateway stays away for up to this long. */
const LONGEST_PAUSE_MS = 500;

const stops: (() => unknown)[] = [];

try {
  const wrong = await endure(Number(values.changes), Number(values.seed));
  for (const what of wrong) console.log(`WRONG: ${what}`);
  console.log(wrong.length === 0 ? 'Nothing was wrong.' : `${wrong.length} found.`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function endure(changes: number, seed: number): Promise<string[]> {
  const world = await startSoakWorld({ teardown: (stop) => stops.push(stop) });
  const { database, checkers, writers, steady, mortal } = world;
  const probe = await ReadinessProbe.start(database, [steady, mortal]);
  const rounds = Math.ceil(changes / ROUND);
  const pausesMs = fc.sample(fc.nat(LONGEST_PAUSE_MS), { seed, numRuns: rounds });
  const untilMs = performance.now() + Number(values.minutes) * 60_000;
  const counts = { listeners: 0, kills: 0, written: 0 };
  console.log(`seed ${seed}`);
  for (const [round, pauseMs] of pausesMs.entries()) {
    if (performance.now() > untilMs) break;
    const writing = writers.write(ROUND);
    await befall(world, counts, (round + 1) / rounds, pauseMs);
    await writing;
    await world.reassign();
    counts.written += ROUND;
    for (const checker of Object.values(checkers)) checker.forgetMessages();
    if (round % 20 === 19) console.log(JSON.stringify({ ...counts, probed: probe.ready }));
  }
  const falsely = await probe.stop();
  await settleSoak(world);
  const [events] = await database.query<{ count: string }>('SELECT count(*) FROM vm_events');
  console.log(`${counts.written} statements, ${events?.count} changes; ${JSON.stringify(counts)}`);
  console.log(`ready was verified ${probe.ready} times, and was false ${falsely.length} times`);
  return [...falsely, ...(await judgeSoak(world))];
}

/** Brings about as many faults as are due by now. */
async function befall(
  { database, mortal }: SoakWorld,
  counts: { listeners: number; kills: number },
  share: number,
  pauseMs: number,
): Promise<void> {
  while (counts.listeners < Number(values.listeners) * share) {
    const ended = await terminateListeners(database);
    counts.listeners += ended;
    if (ended === 0) await sleep(20);
  }
  if (counts.kills >= Math.floor(Number(values.kills) * share)) return;
  await mortal.kill();
  await sleep(pauseMs);
  await mortal.start();
  counts.kills++;
}
