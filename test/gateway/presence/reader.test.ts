// The presence of agents is read when it is invalidated, when the feed becomes live, and
// periodically.

import t, { type Test } from 'tap';
import { PresenceReader } from '../../../src/gateway/presence/reader.js';
import type { PresenceRow } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { until } from '../../helpers/until.js';

const known = (hostname: string, text = 'x', online = true): PresenceRow => ({
  hostname,
  online,
  presence: JSON.stringify({ hostname, text }),
});

function setUp(t: Test, { fullReadIntervalMs = 3_600_000, pushWriteGapMs = 0 } = {}) {
  const fleet = new Fleet('epoch', 100);
  /** The presence in the database. */
  const table = new Map<string, PresenceRow>();
  const log = {
    asked: [] as (readonly string[] | undefined)[],
    published: [] as string[],
    failed: 0,
  };
  let failing = false;
  /** Runs while a read is under way. */
  let during = (): void => undefined;
  const reader = new PresenceReader(
    fleet,
    {
      read: async (hostnames) => {
        log.asked.push(hostnames);
        if (failing) throw new Error('away');
        const read = [...table.values()].filter(
          ({ hostname }) => hostnames === undefined || hostnames.includes(hostname),
        );
        await new Promise((resolve) => setImmediate(resolve));
        during();
        return read;
      },
      publish: ({ hostname, presence }) => log.published.push(`${hostname} ${presence ?? 'gone'}`),
      failed: () => log.failed++,
    },
    { readGapMs: 5, fullReadIntervalMs, pushWriteGapMs },
  );
  t.teardown(() => reader.setLive(false));
  const row = (hostname: string, assignmentId: string | null): void =>
    reader.applyRow(
      fleet.upsert({ hostname, version: 1, status: 'in-use', assignmentId, row: '{}' }),
    );
  const tell = (...all: PresenceRow[]): void => {
    for (const one of all) table.set(one.hostname, one);
  };
  const settled = () =>
    until('the fleet equals the database', () => {
      const current = [...fleet.presence()].map(({ presence }) => presence).sort();
      return (
        JSON.stringify(current) ===
        JSON.stringify([...table.values()].map((p) => p.presence).sort())
      );
    });
  return {
    ...{ fleet, table, log, reader, row, tell, settled },
    fail: (value: boolean) => (failing = value),
    meanwhile: (run: () => void) => (during = run),
  };
}

t.test(
  'everything is read when the feed becomes live, and nothing while it is stale',
  async (t) => {
    const { reader, log, tell, settled } = setUp(t);
    tell(known('a'));
    reader.invalidate(['a']);
    reader.invalidateAll();
    t.same(log.asked, []);
    reader.setLive(true);
    await settled();
    t.same(log.asked, [undefined]);
    reader.setLive(false);
    tell(known('a', 'y'));
    reader.invalidate(['a']);
    t.equal(log.asked.length, 1);
    reader.setLive(true);
    await settled();
    t.same(log.asked, [undefined, undefined], 'once live, everything');
  },
);

t.test(
  'invalidated hostnames are read together; unchanged presence is not published',
  async (t) => {
    const { reader, log, tell, settled, table } = setUp(t);
    tell(known('a'), known('b'), known('c'));
    reader.setLive(true);
    await settled();
    tell(known('a', 'y'));
    table.delete('c');
    reader.invalidate(['a', 'b']);
    reader.invalidate(['c']);
    await settled();
    t.same(new Set(log.asked.slice(1).flat()), new Set(['a', 'b', 'c']));
    t.same(log.published.slice(3).sort(), [`a ${known('a', 'y').presence}`, 'c gone']);
  },
);

t.test('a hostname invalidated during a read is read again', async (t) => {
  const { reader, tell, settled, meanwhile } = setUp(t);
  tell(known('a', 'old'));
  reader.setLive(true);
  await settled();
  for (const speak of [() => reader.invalidate(['a']), () => reader.invalidateAll()]) {
    const text = speak.toString();
    meanwhile(() => {
      meanwhile(() => undefined);
      tell(known('a', text));
      speak();
    });
    reader.invalidate(['a']);
    await settled();
  }
});

t.test('an agent absent from a full read is forgotten', async (t) => {
  const { reader, fleet, table, tell, settled } = setUp(t);
  tell(known('a'), known('b'));
  reader.setLive(true);
  await settled();
  table.delete('a');
  reader.invalidateAll();
  await settled();
  t.match(fleet.getPresence('a'), { presence: undefined });
});

t.test('a failed read is repeated', async (t) => {
  const { reader, fail, log, tell, settled } = setUp(t);
  tell(known('a'));
  fail(true);
  reader.setLive(true);
  await until('it has failed', () => log.failed >= 2);
  fail(false);
  await settled();
  fail(true);
  tell(known('a', 'y'));
  reader.invalidate(['a']);
  const { failed } = log;
  await until('it has failed again', () => log.failed > failed);
  fail(false);
  await settled();
});

t.test('everything is read periodically', async (t) => {
  const { reader, tell, settled } = setUp(t, { fullReadIntervalMs: 10 });
  reader.setLive(true);
  await settled();
  tell(known('a'));
  await settled();
});

t.test('above a maximum of hostnames everything is read', async (t) => {
  const { reader, log, settled } = setUp(t);
  reader.setLive(true);
  await settled();
  reader.invalidate(Array.from({ length: 10_001 }, (_, n) => `vm-${n}`));
  await until('it is read', () => log.asked.length >= 2);
  t.ok(log.asked.slice(1).includes(undefined));
});

t.test('a row that is new, deleted, or assigned again is read', async (t) => {
  const { reader, fleet, log, row, settled } = setUp(t);
  reader.setLive(true);
  await settled();
  const asked = (hostname: string, times: number) =>
    until(`${hostname} is read`, () => {
      const reads = log.asked.filter((hostnames) => hostnames?.includes(hostname));
      return reads.length === times;
    });
  row('a', null);
  await asked('a', 1);
  row('a', null);
  row('a', 'x');
  row('a', 'x');
  await asked('a', 2);
  row('a', null);
  await asked('a', 3);
  reader.applyRow(fleet.delete('a', 9));
  await asked('a', 4);
  row('a', null);
  await asked('a', 5);
});

t.test('a new assignment is given time to be acknowledged', async (t) => {
  const patient = setUp(t, { pushWriteGapMs: 3_600_000 });
  const impatient = setUp(t);
  for (const { reader, row, settled, log } of [patient, impatient]) {
    reader.setLive(true);
    await settled();
    row('a', null);
    await until('it is read', () => log.asked.length === 2);
  }
  // Both tick at the same times, the patient one first.
  for (const { row } of [patient, impatient]) row('a', 'x');
  await until('the other is read', () => impatient.log.asked.length === 3);
  t.equal(patient.log.asked.length, 2);
});
