// The reconciler's rules, one example each; reconciler.property.test.ts tests them together.

import t from 'tap';
import { Reconciler, type ReadResult } from '../../../src/gateway/feed/reconciler.js';
import type { FleetEntry, VmRow } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';

const row = (hostname: string, version: number, status = 'available'): VmRow => ({
  hostname,
  version,
  status,
  assignmentId: null,
  row: JSON.stringify({ hostname, version, status }),
});

/** A reconciler that has read `rows`, and what it has published since. */
function loaded(sequence: number, ...rows: VmRow[]) {
  const published: FleetEntry[] = [];
  const fleet = new Fleet('epoch', 100);
  const reconciler = new Reconciler(fleet, (entry) => published.push(entry));
  read(reconciler, { rows, sequence });
  published.length = 0;
  return { reconciler, fleet, published };
}

function read(reconciler: Reconciler, result: ReadResult) {
  const request = reconciler.beginRead();
  reconciler.finishRead(result);
  return request;
}

t.test('at first everything is stale', async (t) => {
  const reconciler = new Reconciler(new Fleet('epoch', 100), () => undefined);
  t.equal(reconciler.staleRows, 1);
  t.notOk(reconciler.upToDate);
  t.same(reconciler.beginRead(), { kind: 'all' });
  t.ok(reconciler.reading);
  t.notOk(reconciler.upToDate);
  reconciler.finishRead({ rows: [row('a', 1), row('b', 2)], sequence: 2 });
  t.ok(reconciler.upToDate);
  t.equal(reconciler.fleet.size, 2);
  reconciler.invalidateAll();
  t.equal(reconciler.staleRows, 2);
});

t.test('a higher version is applied and published', async (t) => {
  const { reconciler, fleet, published } = loaded(1, row('a', 1));
  t.equal(reconciler.apply(row('a', 2, 'in-use')), 'applied');
  t.equal(reconciler.apply(row('new', 3)), 'applied');
  t.match(published, [
    { kind: 'vm', hostname: 'a', version: 2, status: 'in-use' },
    { kind: 'vm', hostname: 'new', version: 3 },
  ]);
  t.equal(fleet.get('a'), published[0]);
  t.ok(reconciler.upToDate);
});

t.test('an equal version is a repeat, and a lower one makes the row stale', async (t) => {
  const { reconciler, published } = loaded(5, row('a', 5));
  t.equal(reconciler.apply(row('a', 5)), 'repeat');
  t.ok(reconciler.upToDate);
  t.equal(reconciler.apply(row('a', 4)), 'stale');
  t.same(reconciler.beginRead(), { kind: 'rows', hostnames: ['a'] });
  t.same(published, []);
});

t.test(
  'an absent row was deleted, and its tombstone has the version of the sequence',
  async (t) => {
    const { reconciler, fleet, published } = loaded(5, row('a', 5), row('b', 1));
    reconciler.invalidate('a');
    t.equal(reconciler.staleRows, 1);
    t.same(read(reconciler, { rows: [], sequence: 9 }), { kind: 'rows', hostnames: ['a'] });
    t.match(published, [{ kind: 'deleted', hostname: 'a', version: 9 }]);
    t.equal(fleet.get('b')?.kind, 'vm', 'a row that was not requested is not absent');
    for (const version of [8, 9]) t.equal(reconciler.apply(row('a', version)), 'stale');
    t.equal(reconciler.apply(row('a', 10)), 'applied');
  },
);

t.test('a row absent from a full read was deleted', async (t) => {
  const { reconciler, fleet } = loaded(2, row('a', 1), row('b', 2));
  reconciler.invalidateAll();
  t.same(read(reconciler, { rows: [row('b', 2)], sequence: 2 }), { kind: 'all' });
  t.equal(fleet.get('a')?.kind, 'deleted');
  t.equal(fleet.get('b')?.kind, 'vm');
});

t.test('a tombstone is never below the row it replaces', async (t) => {
  const { reconciler, fleet } = loaded(5, row('a', 40));
  reconciler.invalidate('a');
  read(reconciler, { rows: [], sequence: 5 });
  t.equal(fleet.get('a')?.version, 40);
});

t.test(
  'a hostname found absent again has its tombstone raised, and is published once',
  async (t) => {
    const { reconciler, fleet, published } = loaded(5, row('a', 5));
    for (const sequence of [9, 20]) {
      reconciler.invalidate('a');
      read(reconciler, { rows: [], sequence });
    }
    t.equal(fleet.get('a')?.version, 20);
    t.equal(published.length, 1);
    t.equal(reconciler.apply(row('a', 20)), 'stale');
  },
);

t.test(
  'a late notification of a hostname that the last read did not return is stale',
  async (t) => {
    const { reconciler, published } = loaded(7);
    t.equal(reconciler.apply(row('gone', 7)), 'stale');
    read(reconciler, { rows: [], sequence: 9 });
    t.same(published, [], 'an unknown hostname is not deleted');
    t.equal(reconciler.apply(row('gone', 9)), 'stale');
    t.equal(reconciler.apply(row('new', 10)), 'applied');
  },
);

t.test('a late notification of a hostname whose tombstone was pruned is stale', async (t) => {
  const reconciler = new Reconciler(new Fleet('epoch', 0), () => undefined);
  read(reconciler, { rows: [row('a', 1)], sequence: 1 });
  reconciler.invalidate('a');
  read(reconciler, { rows: [], sequence: 3 });
  t.equal(reconciler.fleet.get('a'), undefined);
  t.equal(reconciler.apply(row('a', 2)), 'stale');
});

t.test('a read is right whatever the versions say', async (t) => {
  const { reconciler, fleet } = loaded(9, row('lower', 9), row('same', 8), row('equal', 7));
  reconciler.invalidateAll();
  const rows = [row('lower', 3), row('same', 8, 'failed'), row('equal', 7)];
  const equal = fleet.get('equal');
  read(reconciler, { rows, sequence: 3 });
  t.match(fleet.get('lower'), { version: 3 });
  t.match(fleet.get('same'), { status: 'failed' });
  t.equal(fleet.get('equal'), equal, 'an unchanged row is not published again');
});

t.test('a row touched during a read is read again, and no other', async (t) => {
  const touches: Record<string, (reconciler: Reconciler) => void> = {
    'a higher version': (reconciler) => reconciler.apply(row('a', 6)),
    'a repeat': (reconciler) => reconciler.apply(row('a', 5)),
    'a lower version': (reconciler) => reconciler.apply(row('a', 4)),
    'an invalidation': (reconciler) => reconciler.invalidate('a'),
  };
  for (const [what, touch] of Object.entries(touches)) {
    const { reconciler, fleet } = loaded(5, row('a', 5), row('b', 1));
    reconciler.invalidateAll();
    reconciler.beginRead();
    touch(reconciler);
    const before = fleet.get('a');
    reconciler.finishRead({ rows: [row('a', 1), row('b', 2)], sequence: 5 });
    t.equal(fleet.get('a'), before, `${what}: the read is not applied`);
    t.match(fleet.get('b'), { version: 2 }, `${what}: it is applied to others`);
    t.same(reconciler.beginRead(), { kind: 'rows', hostnames: ['a'] }, what);
    reconciler.finishRead({ rows: [row('a', 1)], sequence: 5 });
    t.match(fleet.get('a'), { version: 1 }, `${what}: a touch does not outlive the read`);
  }
});

t.test('nothing of a read is applied if everything was invalidated meanwhile', async (t) => {
  const { reconciler, fleet } = loaded(5, row('a', 5));
  reconciler.invalidate('a');
  reconciler.beginRead();
  reconciler.invalidateAll();
  reconciler.finishRead({ rows: [], sequence: 5 });
  t.equal(fleet.get('a')?.kind, 'vm');
  t.same(reconciler.beginRead(), { kind: 'all' });
});

t.test('there is one read at a time', async (t) => {
  const { reconciler } = loaded(1, row('a', 1));
  t.equal(reconciler.beginRead(), undefined, 'and none if nothing is stale');
  reconciler.invalidate('a');
  t.ok(reconciler.beginRead());
  reconciler.invalidate('a');
  t.equal(reconciler.beginRead(), undefined);
  reconciler.finishRead({ rows: [row('a', 1)], sequence: 1 });
  t.throws(() => reconciler.finishRead({ rows: [], sequence: 1 }), /no read is under way/);
});

t.test('the rows of an abandoned read must still be read', async (t) => {
  const { reconciler } = loaded(1, row('a', 1), row('b', 1));
  reconciler.abandonRead();
  t.ok(reconciler.upToDate, 'without a read under way nothing changes');

  reconciler.invalidate('a');
  reconciler.beginRead();
  reconciler.abandonRead();
  t.notOk(reconciler.reading);
  t.same(reconciler.beginRead(), { kind: 'rows', hostnames: ['a'] });
  reconciler.abandonRead();

  reconciler.invalidateAll();
  reconciler.beginRead();
  reconciler.apply(row('b', 2));
  reconciler.abandonRead();
  t.same(reconciler.beginRead(), { kind: 'all' });
  reconciler.finishRead({ rows: [row('a', 1), row('b', 3)], sequence: 3 });
  t.match(reconciler.fleet.get('b'), { version: 3 }, 'a touch does not count for the next read');
});

t.test('stale rows are read in batches', async (t) => {
  const { reconciler } = loaded(0);
  const hostnames = Array.from({ length: 1_001 }, (_, i) => `vm-${i}`);
  for (const hostname of [...hostnames, ...hostnames]) reconciler.invalidate(hostname);
  t.equal(reconciler.staleRows, 1_001);
  t.same(read(reconciler, { rows: [], sequence: 0 }), {
    kind: 'rows',
    hostnames: hostnames.slice(0, 1_000),
  });
  t.same(read(reconciler, { rows: [], sequence: 0 }), { kind: 'rows', hostnames: ['vm-1000'] });
  t.ok(reconciler.upToDate);
});

const assigned = (hostname: string, version: number, assignmentId: string): VmRow => ({
  ...row(hostname, version, 'in-use'),
  assignmentId,
  row: JSON.stringify({ hostname, version, assignmentId }),
});

t.test('an assignment that is not verified is read, and nothing is published before', async (t) => {
  const { reconciler, published } = loaded(1, row('a', 1));
  t.equal(reconciler.apply(assigned('a', 2, 'x')), 'unproven');
  t.equal(published.length, 0);
  t.same(read(reconciler, { rows: [assigned('a', 2, 'x')], sequence: 2 }), {
    kind: 'rows',
    hostnames: ['a'],
  });
  t.match(published, [{ hostname: 'a', version: 2, assignmentId: 'x' }]);
});

t.test('a verified assignment applies only if it was made after the known row', async (t) => {
  const { reconciler, published } = loaded(5, row('a', 5));
  t.equal(reconciler.apply(assigned('a', 9, 'old'), 4), 'unproven', 'sent again after a release');
  t.equal(reconciler.apply(assigned('a', 9, 'same'), 5), 'unproven');
  t.equal(reconciler.apply(assigned('a', 9, 'new'), 6), 'applied');
  t.equal(reconciler.apply(assigned('a', 11, 'new'), 6), 'applied', 'the known one, proven again');
  t.equal(reconciler.apply(assigned('a', 12, 'new')), 'unproven', 'the known id, another command');
  t.equal(reconciler.apply(assigned('a', 12, 'old'), 7), 'unproven', 'older than the known row');
  t.equal(published.length, 2);
});

t.test('the version of an unknown hostname is compared with the sequence', async (t) => {
  const { reconciler } = loaded(8);
  t.equal(reconciler.apply(assigned('new', 20, 'old'), 8), 'unproven');
  t.equal(reconciler.apply(assigned('new', 20, 'new'), 9), 'applied');
});

t.test('the end of an assignment is read', async (t) => {
  const { reconciler, published } = loaded(5, assigned('a', 5, 'x'));
  t.equal(reconciler.apply(row('a', 6)), 'unproven');
  t.equal(published.length, 0);
  read(reconciler, { rows: [row('a', 6)], sequence: 6 });
  t.match(published, [{ version: 6, assignmentId: null }]);
});

t.test('a notification above the version that a read finds is a contradiction', async (t) => {
  const contradicted: string[] = [];
  const reconciler = new Reconciler(
    new Fleet('epoch', 100),
    () => undefined,
    (hostname) => contradicted.push(hostname),
  );
  read(reconciler, { rows: [row('a', 1), row('b', 2)], sequence: 2 });
  reconciler.apply(assigned('a', 9_007_199_254_740_991, 'forged'));
  read(reconciler, { rows: [row('a', 1)], sequence: 2 });
  t.same(contradicted, ['a']);
  reconciler.apply(row('b', 9_007_199_254_740_991));
  reconciler.invalidateAll();
  read(reconciler, { rows: [row('a', 1), row('b', 3)], sequence: 3 });
  t.same(contradicted, ['a', 'b']);
  reconciler.apply(assigned('b', 4, 'x'));
  read(reconciler, { rows: [assigned('b', 4, 'x')], sequence: 4 });
  t.same(contradicted, ['a', 'b'], 'an unproven row that the table has is none');
  reconciler.apply(assigned('a', 9_007_199_254_740_991, 'forged'));
  reconciler.apply(assigned('a', 5, 'x'));
  read(reconciler, { rows: [assigned('a', 5, 'x')], sequence: 5 });
  t.same(contradicted, ['a', 'b', 'a'], 'a genuine one that follows hides no forgery');
});

t.test('a row that cannot be read keeps its last known state', async (t) => {
  const { reconciler, fleet, published } = loaded(2, row('a', 1), row('b', 2));
  reconciler.invalidateAll();
  read(reconciler, { rows: [row('b', 3)], sequence: 3, unreadable: [{ hostname: 'a' }] });
  t.match(published, [{ kind: 'vm', hostname: 'b', version: 3 }]);
  t.match(fleet.get('a'), { kind: 'vm', version: 1 });
  t.ok(reconciler.upToDate);
});
