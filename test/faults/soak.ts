// The soak: minutes of load and of one fault after the other, drawn at random, and then the
// verdict. Exits with 1 where a client was shown what is not so, a dashboard the wrong presence, an
// agent missed an assignment or ran one twice, or the gateway's memory or descriptors grew. `npm
// run soak -- --minutes 10 --seed 1`.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { answersAgain, SOAK_FAULTS } from './soak-faults.js';
import { judgeSoak, settleSoak } from './soak-verdict.js';
import { startSoakWorld, type SoakWorld } from './soak-world.js';
import { describeVitals, describeGrowth, takeVitals } from './vitals.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});

/** Between the end of a fault and the next. */
const LONGEST_PAUSE_MS = 4_000;

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
  await settleSoak(world);
  const before = await takeVitals(world.steady);
  console.log(`begin: ${describeVitals(before)}; seed ${seed}`);

  const counts = await sufferAtRandom(world, seed, performance.now() + forMs);
  over = true;
  await writing;
  await settleSoak(world);
  const after = await takeVitals(world.steady);
  console.log(`end:   ${describeVitals(after)}`);
  for (const [name, count] of counts) console.log(`${String(count).padStart(4)} × ${name}`);
  return [...(await judgeSoak(world)), ...describeGrowth(before, after)];
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
