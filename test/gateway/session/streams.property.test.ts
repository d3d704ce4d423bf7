// Every client ends at the fleet's state, whatever the order of changes, flushes, joins and slow
// reads, and however many tombstones are pruned. STREAM_RUNS sets the number of histories.

import fc from 'fast-check';
import t from 'tap';
import type { Projection } from '../../../src/gateway/hub/projection.js';
import { FleetReader, VmReader } from './readers.js';
import { World } from './world.js';

const RUNS = Number(process.env.STREAM_RUNS ?? 400);

type Step = readonly [name: string, run: (world: World) => void];

const hostname = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
const projection = fc.constantFrom<Projection>('full', 'dashboard');
const which = fc.nat({ max: 5 });
/** Rows that share a batch, rows that fill a socket by a few, and a row larger than its limit. */
const length = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 10) },
  { weight: 6, arbitrary: fc.integer({ min: 10_000, max: 30_000 }) },
  { weight: 1, arbitrary: fc.constant(300_000) },
);

function step<T extends unknown[]>(
  name: string,
  arguments_: { [K in keyof T]: fc.Arbitrary<T[K]> },
  run: (world: World, ...values: T) => void,
): fc.Arbitrary<Step> {
  return fc
    .tuple<T>(...arguments_)
    .map((values) => [`${name}(${values.join(', ')})`, (world) => run(world, ...values)]);
}

function reader(world: World, index: number): FleetReader | VmReader | undefined {
  const readers = [...world.readers];
  return readers[index % Math.max(1, readers.length)];
}

const changes = fc.oneof(
  {
    weight: 8,
    arbitrary: step('upsert', [hostname, length], (world, h, size) => world.upsert(h, size)),
  },
  { weight: 5, arbitrary: step('delete', [hostname], (world, h) => world.delete(h)) },
  {
    weight: 4,
    arbitrary: step('presence', [hostname, length], (world, h, size) => world.setPresence(h, size)),
  },
  {
    weight: 2,
    arbitrary: step('forget presence', [hostname], (world, h) => world.forgetPresence(h)),
  },
  { weight: 2, arbitrary: step('prune', [], ({ fleet }) => fleet.pruneTombstones()) },
  { weight: 6, arbitrary: step('flush', [], (world) => world.flush()) },
  { weight: 1, arbitrary: step('live', [fc.boolean()], ({ hub }, live) => hub.setLive(live)) },
);

const joins = fc.oneof(
  { weight: 4, arbitrary: step('join', [projection], (world, v) => world.watchFleet(v)) },
  {
    weight: 4,
    arbitrary: step(
      'join slowly',
      [fc.integer({ min: 1, max: 3 }), projection],
      (world, frames, v) => world.watchFleetSlowly(frames, v),
    ),
  },
  {
    weight: 1,
    arbitrary: step('join VM', [hostname, projection], (world, h, v) => world.watchVm(h, v)),
  },
  {
    weight: 2,
    arbitrary: step('rejoin', [which], (world, index) => {
      const former = reader(world, index);
      if (former === undefined) return;
      world.leave(former);
      if (former instanceof VmReader) world.watchVm(former.hostname, former.projection);
      else world.watchFleet(former.projection, former);
    }),
  },
  {
    weight: 1,
    arbitrary: step('leave', [which], (world, index) => {
      const leaver = reader(world, index);
      if (leaver !== undefined) world.leave(leaver);
    }),
  },
);

const reads = fc.oneof(
  step('stall', [which], (world, index) => reader(world, index)?.socket.stall()),
  step('fill', [which], (world, index) => reader(world, index)?.socket.fill()),
  step('drain', [which], (world, index) => reader(world, index)?.read()),
  step('read slowly', [which, fc.integer({ min: 1, max: 3 })], (world, index, frames) => {
    const slow = reader(world, index);
    if (slow instanceof FleetReader) slow.readSlowly(frames);
  }),
  step('read', [which, fc.constantFrom(1, 70_000, 400_000)], (world, index, bytes) =>
    reader(world, index)?.read(bytes),
  ),
);

const histories = fc.record({
  present: fc.array(fc.tuple(hostname, length), { maxLength: 8 }),
  maxTombstones: fc.constantFrom(0, 1, 2, 100),
  steps: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: changes },
      { weight: 2, arbitrary: joins },
      { weight: 4, arbitrary: reads },
    ),
    { minLength: 1, maxLength: 80, size: 'max' },
  ),
});

type StepHistory = typeof histories extends fc.Arbitrary<infer T> ? T : never;

t.test('every client ends at the state of the fleet, and no hostname ever goes back', (t) => {
  const property = fc.property(histories, ({ present, maxTombstones, steps }) => {
    const world = new World(maxTombstones);
    for (const [name, size] of present) world.upsert(name, size);
    for (const [, run] of steps) {
      run(world);
      world.check();
    }
    world.settle();
  });
  const result = fc.check(property, { numRuns: RUNS });
  if (result.failed) t.fail(explain(result));
  else t.pass(`${result.numRuns} histories`);
  t.end();
});

/** The smallest history that breaks a rule, and the seed that finds it again. */
function explain(result: fc.RunDetails<[StepHistory]>): string {
  const [history] = result.counterexample ?? [];
  const cause = result.errorInstance instanceof Error ? result.errorInstance.message : '';
  const present = history?.present.map(([name, size]) => `${name} ${size}`).join(', ') ?? '';
  const steps = history?.steps.map(([name]) => name).join('\n  ') ?? '';
  return `${cause}
seed ${result.seed}, path ${result.counterexamplePath ?? ''}, run ${result.numRuns}
rows at the start: ${present}; tombstones: ${history?.maxTombstones ?? ''}
  ${steps}`;
}
