// The rules of truth, one example each. What they add up to is in truth.property.test.ts.

import t from 'tap';
import { Truth, type ReadResult } from '../../../src/gateway/feed/reconciler.js';
import type { FleetEntry, VmRow } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';

const row = (hostname: string, version: number, status = 'available'): VmRow => ({
  hostname,
  version,
  status,
  assignmentId: null,
  row: JSON.stringify({ hostname, version, status }),
});

/** A truth whose first read has shown `rows`, and what it has published since. */
function loaded(sequence: number, ...rows: VmRow[]) {
  const published: FleetEntry[] = [];
  const fleet = new Fleet('epoch', 100);
  const truth = new Truth(fleet, (entry) => published.push(entry));
  read(truth, { rows, sequence });
  published.length = 0;
  return { truth, fleet, published };
}

function read(truth: Truth, result: ReadResult) {
  const request = truth.beginRead();
  truth.finishRead(result);
  return request;
}

t.test('at first everything is doubtful', async (t) => {
  const truth = new Truth(new Fleet('epoch', 100), () => undefined);
  t.equal(truth.doubtful, 1);
  t.notOk(truth.settled);
  t.same(truth.beginRead(), { kind: 'all' });
  t.ok(truth.reading);
  t.notOk(truth.settled);
  truth.finishRead({ rows: [row('a', 1), row('b', 2)], sequence: 2 });
  t.ok(truth.settled);
  t.equal(truth.fleet.size, 2);
  truth.doubtAll();
  t.equal(truth.doubtful, 2);
});

t.test('news above what is held applies and is published', async (t) => {
  const { truth, fleet, published } = loaded(1, row('a', 1));
  t.equal(truth.news(row('a', 2, 'in-use')), 'applied');
  t.equal(truth.news(row('new', 3)), 'applied');
  t.match(published, [
    { kind: 'vm', hostname: 'a', version: 2, status: 'in-use' },
    { kind: 'vm', hostname: 'new', version: 3 },
  ]);
  t.equal(fleet.get('a'), published[0]);
  t.ok(truth.settled);
});

t.test('news equal to a held row is a repeat, and news below it is doubtful', async (t) => {
  const { truth, published } = loaded(5, row('a', 5));
  t.equal(truth.news(row('a', 5)), 'repeat');
  t.ok(truth.settled);
  t.equal(truth.news(row('a', 4)), 'doubtful');
  t.same(truth.beginRead(), { kind: 'rows', hostnames: ['a'] });
  t.same(published, []);
});

t.test(
  'a row that is missing was deleted, and its marker has the version of the sequence',
  async (t) => {
    const { truth, fleet, published } = loaded(5, row('a', 5), row('b', 1));
    truth.doubt('a');
    t.equal(truth.doubtful, 1);
    t.same(read(truth, { rows: [], sequence: 9 }), { kind: 'rows', hostnames: ['a'] });
    t.match(published, [{ kind: 'deleted', hostname: 'a', version: 9 }]);
    t.equal(fleet.get('b')?.kind, 'vm', 'what was not asked for is not missing');
    for (const version of [8, 9]) t.equal(truth.news(row('a', version)), 'doubtful');
    t.equal(truth.news(row('a', 10)), 'applied');
  },
);

t.test('a row missing from the whole table was deleted', async (t) => {
  const { truth, fleet } = loaded(2, row('a', 1), row('b', 2));
  truth.doubtAll();
  t.same(read(truth, { rows: [row('b', 2)], sequence: 2 }), { kind: 'all' });
  t.equal(fleet.get('a')?.kind, 'deleted');
  t.equal(fleet.get('b')?.kind, 'vm');
});

t.test('a marker is never below the row it replaces', async (t) => {
  const { truth, fleet } = loaded(5, row('a', 40));
  truth.doubt('a');
  read(truth, { rows: [], sequence: 5 });
  t.equal(fleet.get('a')?.version, 40);
});

t.test(
  'a hostname found missing again has its marker raised, and nobody is told twice',
  async (t) => {
    const { truth, fleet, published } = loaded(5, row('a', 5));
    for (const sequence of [9, 20]) {
      truth.doubt('a');
      read(truth, { rows: [], sequence });
    }
    t.equal(fleet.get('a')?.version, 20);
    t.equal(published.length, 1);
    t.equal(truth.news(row('a', 20)), 'doubtful');
  },
);

t.test('late news of a hostname that the last read did not show is doubtful', async (t) => {
  const { truth, published } = loaded(7);
  t.equal(truth.news(row('gone', 7)), 'doubtful');
  read(truth, { rows: [], sequence: 9 });
  t.same(published, [], 'what nobody knew is not deleted');
  t.equal(truth.news(row('gone', 9)), 'doubtful');
  t.equal(truth.news(row('new', 10)), 'applied');
});

t.test('late news of a hostname whose marker was dropped is doubtful', async (t) => {
  const truth = new Truth(new Fleet('epoch', 0), () => undefined);
  read(truth, { rows: [row('a', 1)], sequence: 1 });
  truth.doubt('a');
  read(truth, { rows: [], sequence: 3 });
  t.equal(truth.fleet.get('a'), undefined);
  t.equal(truth.news(row('a', 2)), 'doubtful');
});

t.test('a read is right whatever the versions say', async (t) => {
  const { truth, fleet } = loaded(9, row('lower', 9), row('same', 8), row('equal', 7));
  truth.doubtAll();
  const rows = [row('lower', 3), row('same', 8, 'failed'), row('equal', 7)];
  const equal = fleet.get('equal');
  read(truth, { rows, sequence: 3 });
  t.match(fleet.get('lower'), { version: 3 });
  t.match(fleet.get('same'), { status: 'failed' });
  t.equal(fleet.get('equal'), equal, 'what did not change is not told again');
});

t.test('what was heard of during a read is read again, and nothing else', async (t) => {
  const heard: Record<string, (truth: Truth) => void> = {
    'higher news': (truth) => truth.news(row('a', 6)),
    'a repeat': (truth) => truth.news(row('a', 5)),
    'doubtful news': (truth) => truth.news(row('a', 4)),
    'a notice': (truth) => truth.doubt('a'),
  };
  for (const [what, hear] of Object.entries(heard)) {
    const { truth, fleet } = loaded(5, row('a', 5), row('b', 1));
    truth.doubtAll();
    truth.beginRead();
    hear(truth);
    const before = fleet.get('a');
    truth.finishRead({ rows: [row('a', 1), row('b', 2)], sequence: 5 });
    t.equal(fleet.get('a'), before, `${what}: the read is not believed`);
    t.match(fleet.get('b'), { version: 2 }, `${what}: it is for others`);
    t.same(truth.beginRead(), { kind: 'rows', hostnames: ['a'] }, what);
    truth.finishRead({ rows: [row('a', 1)], sequence: 5 });
    t.match(fleet.get('a'), { version: 1 }, `${what}: what was heard does not outlive the read`);
  }
});

t.test('nothing of a read is believed when everything was doubted meanwhile', async (t) => {
  const { truth, fleet } = loaded(5, row('a', 5));
  truth.doubt('a');
  truth.beginRead();
  truth.doubtAll();
  truth.finishRead({ rows: [], sequence: 5 });
  t.equal(fleet.get('a')?.kind, 'vm');
  t.same(truth.beginRead(), { kind: 'all' });
});

t.test('there is one read at a time', async (t) => {
  const { truth } = loaded(1, row('a', 1));
  t.equal(truth.beginRead(), undefined, 'and none when nothing is doubtful');
  truth.doubt('a');
  t.ok(truth.beginRead());
  truth.doubt('a');
  t.equal(truth.beginRead(), undefined);
  truth.finishRead({ rows: [row('a', 1)], sequence: 1 });
  t.throws(() => truth.finishRead({ rows: [], sequence: 1 }), /no read is under way/);
});

t.test('what an abandoned read asked for is still to be read', async (t) => {
  const { truth } = loaded(1, row('a', 1), row('b', 1));
  truth.abandonRead();
  t.ok(truth.settled, 'none under way, nothing to abandon');

  truth.doubt('a');
  truth.beginRead();
  truth.abandonRead();
  t.notOk(truth.reading);
  t.same(truth.beginRead(), { kind: 'rows', hostnames: ['a'] });
  truth.abandonRead();

  truth.doubtAll();
  truth.beginRead();
  truth.news(row('b', 2));
  truth.abandonRead();
  t.same(truth.beginRead(), { kind: 'all' });
  truth.finishRead({ rows: [row('a', 1), row('b', 3)], sequence: 3 });
  t.match(truth.fleet.get('b'), { version: 3 }, 'what it heard does not count for the next');
});

t.test('doubtful rows are read in batches', async (t) => {
  const { truth } = loaded(0);
  const hostnames = Array.from({ length: 1_001 }, (_, i) => `vm-${i}`);
  for (const hostname of [...hostnames, ...hostnames]) truth.doubt(hostname);
  t.equal(truth.doubtful, 1_001);
  t.same(read(truth, { rows: [], sequence: 0 }), {
    kind: 'rows',
    hostnames: hostnames.slice(0, 1_000),
  });
  t.same(read(truth, { rows: [], sequence: 0 }), { kind: 'rows', hostnames: ['vm-1000'] });
  t.ok(truth.settled);
});
