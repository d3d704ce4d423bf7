// The fleet against a plain Map. After any history, a read from any offset returns what changed
// since then. A reader that reads in batches, stops, resumes with its cursor or begins again ends
// with the rows and the presence of the Map.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { formatCursor, parseCursor } from '../../../src/gateway/fleet/cursor.js';
import type { FleetEntry } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';

const EPOCH = 'epoch-1';

/** The expected latest entry of a hostname's row or presence: its text, or a tombstone. */
interface Known {
  readonly kind: 'row' | 'presence';
  readonly hostname: string;
  /** The row's or presence's text; undefined in a tombstone. */
  readonly text: string | undefined;
  readonly version: number;
  readonly offset: number;
}

/** The obvious implementation of a fleet. */
class Model {
  readonly known = new Map<string, Known>();
  head = 0;
  newestPruned = 0;

  /** The state of a reader that is up to date, by kind. */
  held(kind: Known['kind']): Map<string, string> {
    const all = this.after(0).filter((known) => known.kind === kind);
    return new Map(
      all.flatMap(({ hostname, text }) => (text === undefined ? [] : [[hostname, text]])),
    );
  }

  get(kind: Known['kind'], hostname: string): Known | undefined {
    return this.known.get(`${kind} ${hostname}`);
  }

  take(known: Omit<Known, 'offset'>): void {
    this.known.set(`${known.kind} ${known.hostname}`, { ...known, offset: ++this.head });
  }

  raise(hostname: string, version: number): void {
    const known = this.get('row', hostname);
    if (known === undefined) return;
    const raised = { ...known, version: Math.max(known.version, version) };
    this.known.set(`row ${hostname}`, raised);
  }

  after(offset: number): Known[] {
    return [...this.known.values()]
      .filter((known) => known.offset > offset)
      .sort((a, b) => a.offset - b.offset);
  }

  /** Keeps the newest tombstones, with a quarter of slack. */
  prune(maxTombstones: number): void {
    const tombstones = this.after(0).filter(({ text }) => text === undefined);
    if (tombstones.length <= maxTombstones * 1.25) return;
    for (const { kind, hostname, offset } of tombstones.slice(
      0,
      tombstones.length - maxTombstones,
    )) {
      this.known.delete(`${kind} ${hostname}`);
      this.newestPruned = offset;
    }
  }
}

/** A client: its state, and the cursor with which it would reconnect. */
class Reader {
  held = { row: new Map<string, string>(), presence: new Map<string, string>() };
  cursor: string | undefined;
  #snapshotHead: number | undefined;
  #offset = 0;

  constructor(private readonly fleet: Fleet) {}

  /** Reconnects on a new socket; only state that ended with a cursor counts. */
  reconnect(): void {
    this.#snapshotHead = undefined;
    const cursor = parseCursor(this.cursor ?? '');
    if (cursor !== undefined && this.fleet.canResume(cursor)) this.#offset = cursor.offset;
    else this.#beginSnapshot();
  }

  /** Reads at most `count` entries; returns true if it has read all. */
  readOn(count: number): boolean {
    const { fleet } = this;
    // Tombstones from before a snapshot began concern rows that are not in it.
    const offset = Math.max(this.#offset, this.#snapshotHead ?? 0);
    if (!fleet.canResume({ epoch: fleet.epoch, offset })) this.#beginSnapshot();
    let left = count;
    for (const entry of fleet.entriesAfter(this.#offset)) {
      if (left-- === 0) return false;
      this.#take(entry);
      this.#offset = entry.offset;
      if (this.#snapshotHead === undefined) this.cursor = formatCursor(fleet.epoch, this.#offset);
    }
    this.#snapshotHead = undefined;
    this.#offset = fleet.head;
    this.cursor = formatCursor(fleet.epoch, this.#offset);
    return true;
  }

  #take(entry: FleetEntry): void {
    const { kind, hostname, text } = shown(entry);
    if (text === undefined) this.held[kind].delete(hostname);
    else this.held[kind].set(hostname, text);
  }

  #beginSnapshot(): void {
    this.held = { row: new Map(), presence: new Map() };
    this.cursor = undefined;
    this.#offset = 0;
    this.#snapshotHead = this.fleet.head;
  }
}

/** Converts an entry to the model's form. */
function shown(entry: FleetEntry): Known {
  const { hostname, offset } = entry;
  if (entry.kind === 'presence')
    return { kind: 'presence', hostname, text: entry.presence, version: 0, offset };
  const text = entry.kind === 'vm' ? entry.row : undefined;
  return { kind: 'row', hostname, text, version: entry.version, offset };
}

interface History {
  readonly maxTombstones: number;
  /** Each with the offset at which the fleet is checked after it: 0 is the start, 1 the head. */
  readonly steps: readonly (readonly [step: Step, where: number])[];
}

interface World {
  readonly fleet: Fleet;
  readonly model: Model;
  readonly readers: readonly Reader[];
}

type Step = readonly [name: string, run: (world: World) => void];

function upsert({ fleet, model }: World, hostname: string, version: number): void {
  const text = `{"v":${model.head}}`;
  model.take({ kind: 'row', hostname, text, version });
  fleet.upsert({ hostname, version, status: 's', assignmentId: null, row: text });
}

function remove({ fleet, model }: World, hostname: string, version: number): void {
  model.take({ kind: 'row', hostname, text: undefined, version });
  fleet.delete(hostname, version);
}

function raise({ fleet, model }: World, hostname: string, version: number): void {
  const tombstone = fleet.get(hostname);
  if (tombstone?.kind !== 'deleted') return;
  fleet.raiseTombstone(tombstone, version);
  model.raise(hostname, version);
}

function setPresence({ fleet, model }: World, hostname: string, online: boolean): void {
  const text = `{"p":${model.head}}`;
  model.take({ kind: 'presence', hostname, text, version: 0 });
  fleet.setPresence({ hostname, online, presence: text });
}

function forgetPresence({ fleet, model }: World, hostname: string): void {
  model.take({ kind: 'presence', hostname, text: undefined, version: 0 });
  fleet.forgetPresence(hostname);
}

function pruneTombstones({ fleet, model }: World): void {
  fleet.pruneTombstones();
  model.prune(fleet.maxTombstones);
}

const hostname = fc.nat({ max: 11 }).map((n) => `vm-${n}`);
const version = fc.oneof(fc.nat({ max: 50 }), fc.maxSafeNat());
const reader = fc.nat({ max: 2 });

function step<T extends unknown[]>(
  name: string,
  arguments_: { [K in keyof T]: fc.Arbitrary<T[K]> },
  run: (world: World, ...values: T) => void,
): fc.Arbitrary<Step> {
  return fc
    .tuple<T>(...arguments_)
    .map((values) => [`${name}(${values.join(', ')})`, (world) => run(world, ...values)]);
}

const anyStep = fc.oneof(
  { weight: 6, arbitrary: step('upsert', [hostname, version], upsert) },
  { weight: 6, arbitrary: step('delete', [hostname, version], remove) },
  { weight: 1, arbitrary: step('raise', [hostname, version], raise) },
  { weight: 6, arbitrary: step('presence', [hostname, fc.boolean()], setPresence) },
  { weight: 3, arbitrary: step('forget', [hostname], forgetPresence) },
  { weight: 2, arbitrary: step('prune', [], pruneTombstones) },
  {
    weight: 1,
    // Enough that the log is compacted.
    arbitrary: step('churn', [hostname, fc.constantFrom(10, 600, 1_100)], (world, h, times) => {
      for (let i = 0; i < times; i++) {
        upsert(world, h, i);
        setPresence(world, h, true);
      }
    }),
  },
  {
    weight: 8,
    arbitrary: step('read', [reader, fc.nat({ max: 6 })], ({ readers }, i, count) => {
      readers[i]?.readOn(count);
    }),
  },
  {
    weight: 2,
    arbitrary: step('reconnect', [reader], ({ readers }, i) => readers[i]?.reconnect()),
  },
);

/** Checks the invariant: every query returns what the Map returns. */
function check({ fleet, model }: World, offset: number): void {
  const rows = [...model.held('row').keys()];
  const versions = rows.map((hostname) => model.get('row', hostname)?.version ?? NaN);
  const expected = {
    head: model.head,
    size: rows.length,
    hostnames: rows.sort(),
    presence: [...model.held('presence')].sort(),
    fingerprint: {
      count: rows.length,
      maxVersion: Math.max(0, ...versions),
      sumOfVersions: versions.reduce((sum, version) => sum + BigInt(version), 0n),
    },
    after: model.after(offset),
    canResume: offset <= model.head && offset >= model.newestPruned,
    canResumeElsewhere: false,
  };
  const after = [...fleet.entriesAfter(offset)];
  assert.deepEqual(
    {
      head: fleet.head,
      size: fleet.size,
      hostnames: [...fleet.hostnames()].sort(),
      presence: [...fleet.presence()].map((entry) => [entry.hostname, entry.presence]).sort(),
      fingerprint: fleet.computeFingerprint(),
      after: after.map(shown),
      canResume: fleet.canResume({ epoch: EPOCH, offset }),
      canResumeElsewhere: fleet.canResume({ epoch: 'epoch-0', offset }),
    },
    expected,
  );
  for (const entry of after) {
    const { hostname } = entry;
    const latest = entry.kind === 'presence' ? fleet.getPresence(hostname) : fleet.get(hostname);
    assert.equal(latest, entry);
  }
}

/** All readers read to the end, on their sockets or on new ones. */
function finish({ model, readers }: World): void {
  for (const reader of readers) {
    for (const again of [false, true]) {
      if (again) reader.reconnect();
      assert.ok(reader.readOn(Infinity));
      for (const kind of ['row', 'presence'] as const)
        assert.deepEqual(sorted(reader.held[kind]), sorted(model.held(kind)));
    }
  }
}

const sorted = (held: Map<string, string>): unknown => [...held].sort();

t.test('a fleet equals a plain Map for every reader, at every offset', async (t) => {
  const history: fc.Arbitrary<History> = fc.record({
    maxTombstones: fc.constantFrom(0, 1, 4, 100),
    steps: fc.array(fc.tuple(anyStep, fc.double({ min: 0, max: 1.1, noNaN: true })), {
      minLength: 1,
      maxLength: 60,
      size: 'max',
    }),
  });
  const property = fc.property(history, ({ maxTombstones, steps }) => {
    const fleet = new Fleet(EPOCH, maxTombstones);
    const readers = Array.from({ length: 3 }, () => new Reader(fleet));
    const world = { fleet, model: new Model(), readers };
    for (const [[, run], where] of steps) {
      run(world);
      // Any offset: the start, the middle, the end, and beyond the end.
      check(world, Math.round(where * world.model.head));
    }
    finish(world);
  });
  const result = fc.check(property, { numRuns: 1_000 });
  t.notOk(result.failed, `${result.numRuns} histories`);
  if (result.failed) t.comment(explain(result));
});

/** The smallest history that fails, and the seed that finds it again. */
function explain(result: fc.RunDetails<[History]>): string {
  const [history] = result.counterexample ?? [];
  return [
    result.errorInstance instanceof Error ? result.errorInstance.message : '',
    `seed ${result.seed}, path ${result.counterexamplePath ?? ''}`,
    `tombstones: ${history?.maxTombstones ?? ''}`,
    ...(history?.steps.map(([[name], where]) => `  ${name}, checked at ${where}`) ?? []),
  ].join('\n');
}
