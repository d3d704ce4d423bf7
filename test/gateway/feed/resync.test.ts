// When the feed is live, what is read after it went stale, and that reads come one at a time.

import t from 'tap';
import { until } from '../../helpers/until.js';
import { resyncing, vm } from './scripted-resync.js';

t.test(
  'the feed is live once it listens, is verified, and has read everything since',
  async (t) => {
    const { fleet, resync, log, answer, untilLive } = resyncing(t);
    resync.start();
    resync.heartbeatArrived();
    t.equal(resync.live, false, 'a heartbeat without LISTEN proves nothing');
    resync.sourceConnected();
    t.same(await answer(vm('a', 1)), { kind: 'all' });
    await until('it is loaded', () => resync.loaded);
    t.equal(fleet.size, 1);
    t.equal(resync.live, false, 'no heartbeat arrived on this connection');
    resync.heartbeatArrived();
    t.equal(resync.live, true);
    resync.sourceDisconnected();
    t.equal(resync.live, false);
    t.equal(resync.loaded, true, 'the fleet is still loaded');
    resync.sourceConnected();
    resync.heartbeatArrived();
    t.equal(resync.live, false, 'not before everything is read again');
    await answer(vm('a', 2));
    await untilLive(true);
    t.match(fleet.get('a'), { version: 2 });
    t.same(log.live, [true, false, true]);
    t.same(log.reads, ['all: start', 'all: reconnect']);
  },
);

t.test('it is not loaded before the rows touched meanwhile are read, too', async (t) => {
  const { reconciler, resync, reads, nextRead, answer } = resyncing(t);
  resync.start();
  resync.sourceConnected();
  const first = await nextRead();
  reconciler.invalidate('large');
  first.answer({ rows: [vm('large', 1)], sequence: 1 });
  const second = await nextRead();
  t.same(second.request, { kind: 'rows', hostnames: ['large'] });
  t.equal(resync.loaded, false, 'the touched row is not read yet');
  reconciler.invalidate('other');
  second.answer({ rows: [vm('large', 2)], sequence: 2 });
  t.same(await answer(vm('other', 3)), { kind: 'rows', hostnames: ['other'] });
  t.equal(resync.loaded, true, 'but it does not wait for quiet');
  t.same(reads, []);
});

t.test('a stale feed abandons the read under way and ignores its result', async (t) => {
  const { fleet, resync, nextRead, answer } = resyncing(t);
  resync.start();
  resync.sourceConnected();
  const stale = await nextRead();
  t.equal(stale.signal.aborted, false);
  resync.sourceDisconnected();
  t.equal(stale.signal.aborted, true, 'it keeps no connection');
  resync.sourceConnected();
  const fresh = await nextRead();
  stale.answer({ rows: [vm('a', 1)], sequence: 1 });
  await new Promise(setImmediate);
  t.equal(fleet.size, 0);
  resync.heartbeatMissed();
  fresh.fail(new Error('the connection broke'));
  await new Promise(setImmediate);
  t.equal(fleet.size, 0);
  resync.heartbeatArrived();
  await answer(vm('a', 2));
  await until('it is read', () => fleet.size === 1);
});

t.test('a failed read is reported and repeated', async (t) => {
  const { fleet, resync, log, nextRead, answer, seam } = resyncing(t);
  const error = new Error('no such table');
  resync.start();
  resync.sourceConnected();
  (await nextRead()).fail(error);
  const [bug] = [new Error('a bug of the fan-out')];
  seam.publish = () => {
    seam.publish = () => undefined;
    throw bug;
  };
  await answer(vm('a', 1), vm('b', 1));
  await answer(vm('a', 1), vm('b', 1));
  await until('all is read', () => resync.loaded);
  t.equal(fleet.size, 2);
  t.same(log.failed, [error, bug]);
  t.same(log.reads, ['all: start', 'all: start', 'all: start']);
});

t.test('stale rows are read together, and one read at a time', async (t) => {
  const { reconciler, resync, reads, nextRead, answer, goLive } = resyncing(t);
  await goLive();
  for (const hostname of ['a', 'b', 'a']) {
    reconciler.invalidate(hostname);
    resync.readSoon();
  }
  const read = await nextRead();
  t.same(read.request, { kind: 'rows', hostnames: ['a', 'b'] });
  reconciler.invalidate('c');
  resync.readSoon();
  await new Promise(setImmediate);
  t.same(reads, [], 'not while another is under way');
  read.answer({ rows: [vm('a', 1)], sequence: 1 });
  t.same(await answer(), { kind: 'rows', hostnames: ['c'] });
});

t.test('after its stop it reads nothing', async (t) => {
  const { reconciler, resync, reads, goLive, log } = resyncing(t, { checkIntervalMs: 10 });
  await goLive();
  reconciler.invalidate('a');
  resync.readSoon();
  resync.stop();
  resync.readSoon();
  resync.rereadAll('check');
  resync.heartbeatArrived();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.same(reads, []);
  t.same(log.live, [true, false]);
});
