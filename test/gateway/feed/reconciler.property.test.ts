// The reconciler's rules against a simulated database in random histories. TRUTH_RUNS sets how many
// histories run; TRUTH_SEED repeats the ones that a failure has named.

import fc from 'fast-check';
import t from 'tap';
import { SimulatedGateway } from './simulated-gateway.js';

const HOSTNAMES = ['a', 'b', 'c'] as const;
const RUNS = Number(process.env.TRUTH_RUNS ?? 4_000);
const SEED = process.env.TRUTH_SEED;
// Long enough for a run of many histories.
t.setTimeout(60_000 + 20 * RUNS);

type Hostname = (typeof HOSTNAMES)[number];
type Step = readonly [name: string, run: (gateway: SimulatedGateway) => void];

/** Few hostnames, most often the first, so that their changes meet. */
const hostname = fc.constantFrom<Hostname>('a', 'a', 'a', 'b', 'b', 'c');
const slot = fc.constantFrom(0, 0, 0, 1, 1, 2);
/** The slot of transactions that are not left open. */
const ALONE = 3;
const few = fc.constantFrom(1, 1, 2, 3, 4);

/** A step of the history; its name is what a counterexample shows. */
function step<T extends unknown[]>(
  name: string,
  arguments_: { [K in keyof T]: fc.Arbitrary<T[K]> },
  run: (gateway: SimulatedGateway, ...values: T) => void,
): fc.Arbitrary<Step> {
  return fc
    .tuple<T>(...arguments_)
    .map((values) => [`${name}(${values.join(', ')})`, (gateway) => run(gateway, ...values)]);
}

function weighted(...steps: [weight: number, step: fc.Arbitrary<Step>][]): fc.Arbitrary<Step> {
  return fc.oneof(...steps.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

const transactions = weighted(
  [2, step('insert', [slot, hostname], ({ database }, tx, h) => database.insert(tx, h, 'fail'))],
  [2, step('upsert', [slot, hostname], ({ database }, tx, h) => database.insert(tx, h, 'update'))],
  [3, step('update', [slot, hostname], ({ database }, tx, h) => database.update(tx, h, 'row'))],
  [
    1,
    step('large', [slot, hostname], ({ database }, tx, h) =>
      database.update(tx, h, 'invalidation'),
    ),
  ],
  [3, step('delete', [slot, hostname], ({ database }, tx, h) => database.delete(tx, h))],
  [
    1,
    step('rename', [slot, hostname, hostname], ({ database }, tx, from, to) =>
      database.rename(tx, from, to),
    ),
  ],
  [10, step('commit', [slot], ({ database }, tx) => database.commit(tx))],
  [1, step('roll back', [slot], ({ database }, tx) => database.rollBack(tx))],
  [
    1,
    step('truncate', [fc.option(hostname)], ({ database }, h) => database.truncate(h ?? undefined)),
  ],
);

const recover = step('recover', [], (gateway) => gateway.recoverListener());
const delivery = weighted(
  [8, step('deliver', [few], (gateway, count) => gateway.deliver(count))],
  [1, step('repeat', [few], (gateway, count) => gateway.repeat(count))],
  [1, step('lose', [], (gateway) => gateway.loseListener())],
  [2, recover],
);

const reads = weighted(
  [4, step('send', [], (gateway) => gateway.sendRead())],
  [8, step('advance', [slot], (gateway, which) => gateway.advanceRead(which))],
  [4, step('read', [], (gateway) => gateway.readAtOnce())],
  [1, step('read all', [], (gateway) => gateway.readEverything())],
  [1, step('fail', [], (gateway) => gateway.failRead())],
);

const readers = step('scan', [slot, few], (gateway, reader, count) => gateway.scan(reader, count));

/** Steps that happen as one, because by chance they would seldom meet. */
function together(name: string, ...parts: fc.Arbitrary<readonly Step[]>[]): fc.Arbitrary<Step> {
  return fc.tuple(...parts).map((lists) => {
    const steps = lists.flat();
    const run = (gateway: SimulatedGateway): void => steps.forEach(([, run]) => run(gateway));
    return [`${name}{ ${steps.map(([name]) => name).join('; ')} }`, run];
  });
}

/** A transaction of its own, which may have to wait. */
const autocommit = weighted(
  ...(['insert', 'update', 'update', 'delete'] as const).map(
    (verb): [number, fc.Arbitrary<Step>] => [
      1,
      step(`${verb} alone`, [hostname], ({ database }, h) => {
        if (verb === 'insert') database.insert(ALONE, h, 'fail');
        else if (verb === 'update') database.update(ALONE, h, 'row');
        else database.delete(ALONE, h);
        database.commit(ALONE);
      }),
    ],
  ),
);

const advance = fc.tuple(step('advance', [], (gateway) => gateway.advanceRead(0)));
const meanwhile = fc.array(weighted([3, autocommit], [2, delivery]), { maxLength: 4 });

/** A read overtaken by the database and the listener, between rows, sequence and result. */
const overtaken = together(
  'read ',
  fc.tuple(step('send', [], (gateway) => gateway.sendRead())),
  advance,
  meanwhile,
  advance,
  meanwhile,
  advance,
);

/** Changes without notifications: a later full read must repair them. */
const silent = weighted(
  [
    1,
    step('change silently', [hostname], (gateway, h) => {
      gateway.database.changeSilently(h);
      gateway.markUnnotified();
    }),
  ],
  [
    1,
    step('delete silently', [hostname], (gateway, h) => {
      gateway.database.deleteSilently(h);
      gateway.markUnnotified();
    }),
  ],
);

/** How far a sequence may stand ahead after a crash: 32 values are logged in advance. */
const ahead = fc.constantFrom(0, 0, 0, 1, 2, 32);

const failOver = step('fail over', [few, ahead], (gateway, commits, by) => {
  gateway.loseListener();
  gateway.database.goBack(commits, by);
});

const rewrites = weighted(
  [1, failOver],
  // Versions that were notified before are handed out again while the first read is under way.
  [2, together('', fc.tuple(failOver), fc.tuple(recover), fc.tuple(overtaken))],
  [
    1,
    step('restore', [few], (gateway, commits) => {
      gateway.database.goBack(commits, 0);
      gateway.markUnnotified();
    }),
  ],
  [1, step('set sequence back', [few], ({ database }, by) => database.setSequenceBack(by))],
);

interface History {
  readonly present: readonly string[];
  /** How many tombstones the fleet keeps. */
  readonly maxTombstones: number;
  readonly steps: readonly Step[];
}

function histories(...more: fc.Arbitrary<Step>[]): fc.Arbitrary<History> {
  const anything = weighted(
    [10, transactions],
    [6, delivery],
    [7, reads],
    [2, autocommit],
    [2, overtaken],
    [3, readers],
    ...more.map((steps): [number, fc.Arbitrary<Step>] => [1, steps]),
  );
  return fc.record({
    present: fc.subarray([...HOSTNAMES]),
    maxTombstones: fc.constantFrom(0, 1, 100),
    steps: fc.array(anything, { minLength: 1, maxLength: 90, size: 'max' }),
  });
}

function holds(name: string, ...more: fc.Arbitrary<Step>[]): void {
  t.test(name, (t) => {
    const property = fc.property(histories(...more), ({ present, maxTombstones, steps }) => {
      const gateway = new SimulatedGateway(HOSTNAMES, present, maxTombstones);
      for (const [, run] of steps) {
        run(gateway);
        gateway.check();
      }
      gateway.finish();
    });
    const result = fc.check(property, {
      numRuns: RUNS,
      ...(SEED !== undefined && { seed: Number(SEED) }),
    });
    t.notOk(result.failed, `${String(RUNS)} histories`);
    if (result.failed) t.comment(explain(result));
    t.end();
  });
}

/** The smallest history that breaks a rule, and the seed that finds it again. */
function explain(result: fc.RunDetails<[History]>): string {
  const [history] = result.counterexample ?? [];
  const cause = result.errorInstance instanceof Error ? result.errorInstance.message : '';
  return [
    cause,
    `seed ${result.seed}, path ${result.counterexamplePath ?? ''}`,
    `rows at the start: ${history?.present.join(', ') ?? ''}; tombstones: ${history?.maxTombstones ?? ''}`,
    ...(history?.steps.map(([name]) => `  ${name}`) ?? []),
  ].join('\n');
}

holds('all readers end at the table by the rules alone, and no hostname goes back');
holds('changes made with the triggers off are repaired by the next full read', silent);
holds('a database that goes back takes all readers along', rewrites);
holds('all of it at once', silent, rewrites);
