import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import type { FleetEntry, VmRow } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';

const row = (hostname: string, version: number, status = 'available'): VmRow => ({
  hostname,
  version,
  status,
  assignmentId: null,
  row: JSON.stringify({ hostname, version, status }),
});

const readAfter = (fleet: Fleet, offset: number): FleetEntry[] => [...fleet.entriesAfter(offset)];
const names = (entries: FleetEntry[]): string[] =>
  entries.map(({ kind, hostname }) => (kind === 'vm' ? hostname : `-${hostname}`));

t.test('a new fleet is empty', async (t) => {
  const fleet = new Fleet('epoch', 10);
  t.equal(fleet.epoch, 'epoch');
  t.equal(fleet.maxTombstones, 10);
  t.equal(fleet.head, 0);
  t.equal(fleet.size, 0);
  t.equal(fleet.get('a'), undefined);
  t.same(readAfter(fleet, 0), []);
  t.same(fleet.computeFingerprint(), { count: 0, maxVersion: 0, sumOfVersions: 0n });
});

t.test('it holds the latest row of each hostname, at the offset of its change', async (t) => {
  const fleet = new Fleet('epoch', 10);
  fleet.upsert(row('a', 1));
  fleet.upsert(row('b', 2));
  const entry = fleet.upsert(row('a', 3, 'in-use'));
  t.same(entry, { kind: 'vm', ...row('a', 3, 'in-use'), offset: 3, dashboardRow: undefined });
  t.equal(fleet.get('a'), entry);
  t.equal(fleet.head, 3);
  t.equal(fleet.size, 2);
  t.same([...fleet.hostnames()].sort(), ['a', 'b']);
  t.same(names(readAfter(fleet, 0)), ['b', 'a'], 'a snapshot has each hostname once');
  t.same(names(readAfter(fleet, 2)), ['a'], 'only later changes');
  t.same(readAfter(fleet, 3), []);
  t.same(readAfter(fleet, 99), []);
});

t.test('a deletion leaves a tombstone, which a new row replaces', async (t) => {
  const fleet = new Fleet('epoch', 10);
  fleet.upsert(row('a', 1));
  const tombstone = fleet.delete('a', 7);
  t.same(tombstone, { kind: 'deleted', hostname: 'a', version: 7, offset: 2 });
  t.equal(fleet.get('a'), tombstone);
  t.equal(fleet.size, 0);
  t.same([...fleet.hostnames()], []);
  t.same(names(readAfter(fleet, 1)), ['-a']);

  fleet.delete('a', 8);
  t.equal(fleet.size, 0, 'deleted twice is deleted once');
  fleet.upsert(row('a', 9));
  t.equal(fleet.size, 1);
  t.same(names(readAfter(fleet, 0)), ['a']);
});

t.test('a tombstone can be raised, not lowered, and keeps its offset', async (t) => {
  const fleet = new Fleet('epoch', 10);
  const tombstone = fleet.delete('a', 7);
  fleet.raiseTombstone(tombstone, 9);
  t.equal(fleet.get('a')?.version, 9);
  fleet.raiseTombstone(tombstone, 8);
  t.equal(fleet.get('a')?.version, 9);
  t.equal(fleet.head, 1);
});

t.test('its fingerprint summarizes the rows, exactly even beyond the safe integers', async (t) => {
  const fleet = new Fleet('epoch', 10);
  fleet.upsert(row('a', Number.MAX_SAFE_INTEGER));
  fleet.upsert(row('b', Number.MAX_SAFE_INTEGER - 1));
  fleet.upsert(row('c', 5));
  fleet.delete('d', Number.MAX_SAFE_INTEGER);
  t.same(fleet.computeFingerprint(), {
    count: 3,
    maxVersion: Number.MAX_SAFE_INTEGER,
    sumOfVersions: BigInt(Number.MAX_SAFE_INTEGER) * 2n + 4n,
  });
});

t.test('a reader resumes within this epoch, up to the head', async (t) => {
  const fleet = new Fleet('epoch', 10);
  fleet.upsert(row('a', 1));
  for (const offset of [0, 1]) t.ok(fleet.canResume({ epoch: 'epoch', offset }));
  t.notOk(fleet.canResume({ epoch: 'epoch', offset: 2 }), 'not beyond the head');
  t.notOk(fleet.canResume({ epoch: 'other', offset: 1 }), 'not in another epoch');
});

t.test(
  'the oldest tombstones are pruned, and readers that have not read them cannot resume',
  async (t) => {
    const fleet = new Fleet('epoch', 4);
    for (const hostname of ['a', 'b', 'c', 'd', 'e', 'f']) fleet.delete(hostname, 1);
    fleet.upsert(row('a', 2));
    fleet.pruneTombstones();
    t.same(names(readAfter(fleet, 0)), ['-b', '-c', '-d', '-e', '-f', 'a'], 'not for one too many');

    fleet.delete('g', 3);
    fleet.pruneTombstones();
    t.same(names(readAfter(fleet, 0)), ['-d', '-e', '-f', 'a', '-g']);
    t.equal(fleet.get('b'), undefined);
    t.equal(fleet.size, 1);
    t.notOk(fleet.canResume({ epoch: 'epoch', offset: 2 }), 'c was pruned, at offset 3');
    t.ok(fleet.canResume({ epoch: 'epoch', offset: 3 }));
  },
);

t.test('a fleet that keeps no tombstones prunes all of them', async (t) => {
  const fleet = new Fleet('epoch', 0);
  fleet.pruneTombstones();
  fleet.upsert(row('a', 1));
  fleet.delete('a', 2);
  fleet.pruneTombstones();
  t.same(readAfter(fleet, 0), []);
  t.notOk(fleet.canResume({ epoch: 'epoch', offset: 1 }));
  t.ok(fleet.canResume({ epoch: 'epoch', offset: 2 }));
});

t.test('a read costs what changed, however often it changed', async (t) => {
  const fleet = new Fleet('epoch', 10);
  const hostnames = Array.from({ length: 1_500 }, (_, i) => `vm-${i}`);
  for (const hostname of hostnames) fleet.upsert(row(hostname, 1));
  for (let version = 2; version < 12_000; version++) fleet.upsert(row('busy', version));
  t.equal(fleet.head, 1_500 + 11_998);
  t.same(names(readAfter(fleet, 0)), [...hostnames, 'busy']);
  t.same(names(readAfter(fleet, 1_499)), ['vm-1499', 'busy'], 'from an offset within the table');
  t.same(names(readAfter(fleet, 5_000)), ['busy'], 'from an offset that was compacted away');
});

t.test('memory is bounded by the hostnames, not by how often they change', async (t) => {
  const fleet = new Fleet('epoch', 10);
  const entries: WeakRef<FleetEntry>[] = [];
  for (let version = 1; version <= 20_000; version++) {
    entries.push(new WeakRef<FleetEntry>(fleet.upsert(row('busy', version))));
  }
  // An entry that a WeakRef has returned stays alive until the end of the turn.
  await nextTurn();
  collectGarbage();
  const alive = entries.filter((entry) => entry.deref() !== undefined).length;
  t.ok(alive <= 1_002, `${alive} entries are kept`);
  t.match(fleet.get('busy'), { version: 20_000 });
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}

t.test('an entry that a reader holds does not change', async (t) => {
  const fleet = new Fleet('epoch', 10);
  const entry = fleet.upsert(row('a', 1));
  fleet.upsert(row('a', 2));
  fleet.delete('a', 3);
  t.match(entry, row('a', 1));
});
