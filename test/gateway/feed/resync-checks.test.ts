// The periodic checks: their time, what they compare, and the differences after which everything is
// read.

import t from 'tap';
import { until } from '../../helpers/until.js';
import { resyncing, vm, type PendingRead } from './scripted-resync.js';

t.test('a check that differs from an idle fleet has everything read', async (t) => {
  const { fleet, log, answer, goLive, seam } = resyncing(t, { checkIntervalMs: 10 });
  await goLive(vm('a', 1), vm('b', 2));
  const { checks } = seam;
  await until('it has checked', () => seam.checks > checks + 3);
  t.same(log.reads, ['all: start'], 'it agreed');
  for (const table of [{ count: 3 }, { maxVersion: 9 }, { sumOfVersions: 9n }]) {
    seam.table = table;
    const read = answer(vm('a', 1), vm('b', 2));
    await read;
    seam.table = {};
  }
  t.same(log.reads.slice(1), Array(3).fill('all: check'));
  t.equal(fleet.size, 2);
});

t.test('a check during changes is ignored', async (t) => {
  const { reconciler, resync, log, goLive, nextRead, seam } = resyncing(t, { checkIntervalMs: 10 });
  await goLive(vm('a', 1));
  let version = 1;
  seam.table = { count: 9 };
  seam.checked = async () => void reconciler.apply(vm('a', ++version));
  const { checks } = seam;
  await until('it has checked', () => seam.checks > checks + 3);
  t.same(log.reads, ['all: start'], 'something was applied meanwhile');

  seam.checked = async () => undefined;
  reconciler.invalidate('b');
  resync.readSoon();
  const read = await nextRead();
  await until('it has checked', () => seam.checks > checks + 6);
  t.same(log.reads, ['all: start', 'rows: stale'], 'something was being read');
  seam.table = {};
  read.answer({ rows: [], sequence: 1 });
});

t.test('a check that is overtaken, fails, or takes long', async (t) => {
  const { resync, log, answer, goLive, seam } = resyncing(t, { checkIntervalMs: 10 });
  await goLive(vm('a', 1));
  let release: () => void = () => undefined;
  seam.table = { count: 9 };
  seam.checked = () => new Promise((resolve) => (release = resolve));
  const { checks } = seam;
  await until('a check is under way', () => seam.checks > checks);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(seam.checks, checks + 1, 'one at a time');
  resync.heartbeatMissed();
  seam.checked = async () => undefined;
  release();
  seam.table = {};
  resync.heartbeatArrived();
  await answer(vm('a', 1));
  await until('it is live again', () => resync.live);
  t.same(log.reads, ['all: start', 'all: reconnect'], 'its result is ignored');

  const error = new Error('no answer');
  seam.checked = () => Promise.reject(error);
  await until('it is reported', () => log.failed.length > 1);
  t.equal(log.failed[0], error);
  seam.checked = async () => undefined;
});

t.test('triggers that were changed or are disabled have everything read', async (t) => {
  const { log, answer, goLive, seam } = resyncing(t, { checkIntervalMs: 10 });
  await goLive();
  seam.triggers = 'disabled and enabled again';
  await answer();
  const { checks } = seam;
  await until('it has checked', () => seam.checks > checks + 3);
  t.same(log.reads, ['all: start', 'all: triggers'], 'once a change');
  t.equal(log.off, 0);
  seam.triggersInForce = false;
  await answer();
  await answer();
  seam.triggersInForce = true;
  t.ok(log.off >= 2, 'again and again while they are off');
});

t.test('triggers that change after the first read are detected by the first check', async (t) => {
  const { log, answer, goLive, seam } = resyncing(t, { checkIntervalMs: 200 });
  await goLive();
  seam.triggers = 'changed';
  await answer();
  t.same(log.reads, ['all: start', 'all: triggers']);
});

t.test('everything is read periodically, even while rows are always being read', async (t) => {
  const { reconciler, resync, log, nextRead, goLive } = resyncing(t, {
    checkIntervalMs: 10,
    fullReadIntervalMs: 50,
  });
  await goLive();
  let full: PendingRead | undefined;
  while (full === undefined) {
    reconciler.invalidate('a');
    resync.readSoon();
    const read = await nextRead();
    if (read.request.kind === 'all') full = read;
    else setTimeout(() => read.answer({ rows: [], sequence: 1 }), 15);
  }
  t.equal(log.reads.at(-1), 'all: routine');
  // A second request during this read would make its result worthless.
  await new Promise((resolve) => setTimeout(resolve, 100));
  full.answer({ rows: [vm('b', 1)], sequence: 1 });
  await until('it counts', () => reconciler.fleet.get('b') !== undefined);
});
