// The roster: nothing that happened is lost, however writes fail, and of each agent only the latest is kept.

import t from 'tap';
import { Roster } from '../../../src/gateway/presence/pending-writes.js';

const ID = '0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a';
const OTHER = '1b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a';

t.test('what happened is taken once', async (t) => {
  const roster = new Roster();
  t.ok(roster.written);
  roster.arrived('a', 1);
  roster.arrived('b', 2);
  roster.left('b', 3);
  roster.pushed('a', ID, 4);
  roster.reported('c');
  t.notOk(roster.written);
  t.equal(roster.size, 1);
  t.same(roster.take(), {
    agents: [
      { hostname: 'a', online: true, atMs: 1 },
      { hostname: 'b', online: false, atMs: 3 },
    ],
    pushes: [{ hostname: 'a', assignmentId: ID, atMs: 4 }],
    reported: ['c'],
    full: false,
  });
  t.ok(roster.written);
});

t.test('what could not be written comes again, unless something later happened', async (t) => {
  const roster = new Roster();
  roster.arrived('a', 1);
  roster.arrived('b', 1);
  roster.pushed('a', ID, 1);
  roster.pushed('b', ID, 1);
  roster.reported('c');
  const batch = roster.take();
  roster.left('a', 5);
  roster.pushed('b', OTHER, 6);
  roster.giveBack(batch);
  const { agents, pushes, reported } = roster.take();
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
  const roster = new Roster();
  roster.pushed('a', ID, 1);
  roster.pushed('a', ID, 2);
  t.equal(roster.pushedAtMs('a', ID), 1, 'told again, it keeps its first time');
  t.equal(roster.pushedAtMs('a', OTHER), undefined);
  t.equal(roster.pushedAtMs('b', ID), undefined);
  roster.pushWritten('a', OTHER);
  t.notOk(roster.written, 'another assignment is no matter');
  roster.pushWritten('a', ID);
  t.ok(roster.written);
  roster.pushed('a', OTHER, 3);
  const batch = roster.take();
  t.equal(roster.pushedAtMs('a', OTHER), undefined, 'it is on its way');
  roster.pushWritten('a', OTHER);
  roster.giveBack(batch);
  t.same(roster.take().pushes, [{ hostname: 'a', assignmentId: OTHER, atMs: 3 }]);
});

t.test('thousands are written in batches, and all of them', async (t) => {
  const roster = new Roster();
  for (let n = 0; n < 2_500; n++) roster.arrived(`vm-${n}`, n);
  const sizes: [number, boolean][] = [];
  const seen = new Set<string>();
  while (!roster.written) {
    const { agents, full } = roster.take();
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

t.test('under a new name who is here is written again, and nobody else', async (t) => {
  const roster = new Roster();
  roster.arrived('a', 1);
  roster.arrived('b', 2);
  roster.left('b', 3);
  roster.take();
  roster.forgetWritten();
  t.same(roster.take().agents, [{ hostname: 'a', online: true, atMs: 1 }]);
});

t.test('it knows until when everything is written', async (t) => {
  const roster = new Roster();
  t.ok(roster.isWrittenUntil(100));
  roster.arrived('a', 50);
  t.ok(roster.isWrittenUntil(49));
  t.notOk(roster.isWrittenUntil(50));
  const batch = roster.take();
  t.ok(roster.isWrittenUntil(100));
  roster.giveBack(batch);
  t.notOk(roster.isWrittenUntil(100));
});

t.test('an assignment that is no UUID is not written: anyone may notify a row', async (t) => {
  const roster = new Roster();
  for (const nonsense of ['', 'x', `${ID} `, `{${ID}}`]) roster.pushed('a', nonsense, 1);
  t.ok(roster.written);
});
