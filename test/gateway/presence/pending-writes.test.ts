// No pending write is lost, however writes fail, and only the latest of each agent is kept.

import t from 'tap';
import { PendingWrites } from '../../../src/gateway/presence/pending-writes.js';

const ID = '0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a';
const OTHER = '1b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a';

t.test('a pending write is taken once', async (t) => {
  const pending = new PendingWrites();
  t.ok(pending.empty);
  pending.agentConnected('a', 1);
  pending.agentConnected('b', 2);
  pending.agentDisconnected('b', 3);
  pending.addPush('a', ID, 4);
  pending.addReport('c');
  t.notOk(pending.empty);
  t.equal(pending.size, 1);
  t.same(pending.takeBatch(), {
    agents: [
      { hostname: 'a', online: true, atMs: 1 },
      { hostname: 'b', online: false, atMs: 3 },
    ],
    pushes: [{ hostname: 'a', assignmentId: ID, atMs: 4 }],
    reported: ['c'],
    full: false,
  });
  t.ok(pending.empty);
});

t.test('a failed write is restored, unless something later replaced it', async (t) => {
  const pending = new PendingWrites();
  pending.agentConnected('a', 1);
  pending.agentConnected('b', 1);
  pending.addPush('a', ID, 1);
  pending.addPush('b', ID, 1);
  pending.addReport('c');
  const batch = pending.takeBatch();
  pending.agentDisconnected('a', 5);
  pending.addPush('b', OTHER, 6);
  pending.restore(batch);
  const { agents, pushes, reported } = pending.takeBatch();
  const byHostname = (x: { hostname: string }, y: { hostname: string }): number =>
    x.hostname < y.hostname ? -1 : 1;
  t.same(agents.toSorted(byHostname), [
    { hostname: 'a', online: false, atMs: 5 },
    { hostname: 'b', online: true, atMs: 1 },
  ]);
  t.same(pushes.toSorted(byHostname), [
    { hostname: 'a', assignmentId: ID, atMs: 1 },
    { hostname: 'b', assignmentId: OTHER, atMs: 6 },
  ]);
  t.same(reported, ['c']);
});

t.test('a push that is written with its acknowledgement is not written again', async (t) => {
  const pending = new PendingWrites();
  pending.addPush('a', ID, 1);
  pending.addPush('a', ID, 2);
  t.equal(pending.findPushTime('a', ID), 1, 'a repeated push keeps its first time');
  t.equal(pending.findPushTime('a', OTHER), undefined);
  t.equal(pending.findPushTime('b', ID), undefined);
  pending.removePush('a', OTHER);
  t.notOk(pending.empty, 'another assignment does not count');
  pending.removePush('a', ID);
  t.ok(pending.empty);
  pending.addPush('a', OTHER, 3);
  const batch = pending.takeBatch();
  t.equal(pending.findPushTime('a', OTHER), undefined, 'it is being written');
  pending.removePush('a', OTHER);
  pending.restore(batch);
  t.same(pending.takeBatch().pushes, [{ hostname: 'a', assignmentId: OTHER, atMs: 3 }]);
});

t.test('thousands of agents are written in batches', async (t) => {
  const pending = new PendingWrites();
  for (let n = 0; n < 2_500; n++) pending.agentConnected(`vm-${n}`, n);
  const sizes: [number, boolean][] = [];
  const seen = new Set<string>();
  while (!pending.empty) {
    const { agents, full } = pending.takeBatch();
    sizes.push([agents.length, full]);
    for (const { hostname } of agents) seen.add(hostname);
  }
  t.same(sizes, [
    [1_000, true],
    [1_000, true],
    [500, false],
  ]);
  t.equal(seen.size, 2_500);
});

t.test('under a new lease the connected agents are written again, and no others', async (t) => {
  const pending = new PendingWrites();
  pending.agentConnected('a', 1);
  pending.agentConnected('b', 2);
  pending.agentDisconnected('b', 3);
  pending.takeBatch();
  pending.markAllDirty();
  t.same(pending.takeBatch().agents, [{ hostname: 'a', online: true, atMs: 1 }]);
});

t.test('it knows up to which time everything is written', async (t) => {
  const pending = new PendingWrites();
  t.ok(pending.isWrittenUntil(100));
  pending.agentConnected('a', 50);
  t.ok(pending.isWrittenUntil(49));
  t.notOk(pending.isWrittenUntil(50));
  const batch = pending.takeBatch();
  t.ok(pending.isWrittenUntil(100));
  pending.restore(batch);
  t.notOk(pending.isWrittenUntil(100));
});

t.test(
  'an assignment that is no UUID is not written, because every role may notify a row',
  async (t) => {
    const pending = new PendingWrites();
    for (const nonsense of ['', 'x', `${ID} `, `{${ID}}`]) pending.addPush('a', nonsense, 1);
    t.ok(pending.empty);
  },
);

t.test('a hostname that cannot be stored is set aside, and tried again later', async (t) => {
  const clock = { nowMs: 0 };
  const pending = new PendingWrites(() => clock.nowMs);
  pending.agentConnected('a', 1);
  pending.agentConnected('b', 1);
  const batch = pending.takeBatch();
  t.ok(pending.reject('a', batch, 2), 'the first time');
  pending.restore(batch);
  t.match(pending.takeBatch(), { agents: [{ hostname: 'b' }] }, 'only the other is restored');
  pending.agentDisconnected('a', 3);
  pending.agentConnected('a', 4);
  pending.markAllDirty();
  t.match(pending.takeBatch(), { agents: [{ hostname: 'b' }] }, 'it stays aside');
  t.ok(pending.isWrittenUntil(9), 'and holds up no watermark');
  t.equal(pending.setAsideCount, 1);
  clock.nowMs = 3_600_000;
  pending.retryRejected();
  const again = pending.takeBatch();
  t.match(again, { agents: [{ hostname: 'a', online: true, atMs: 4 }] });
  t.notOk(pending.reject('a', again, 5), 'not the first time');
  clock.nowMs = 7_200_000;
  pending.retryRejected();
  pending.confirm(pending.takeBatch());
  t.equal(pending.setAsideCount, 0);
});
