// What the fleet says of agents is read, and read again: when somebody says so, after a gap, and now and then.

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
  /** The truth of the test. */
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
    until('the fleet says what the table does', () => {
      const held = [...fleet.presence()].map(({ presence }) => presence).sort();
      return (
        JSON.stringify(held) === JSON.stringify([...table.values()].map((p) => p.presence).sort())
      );
    });
  return {
    ...{ fleet, table, log, reader, row, tell, settled },
    fail: (value: boolean) => (failing = value),
    meanwhile: (run: () => void) => (during = run),
  };
}

t.test('everything is read when the feed becomes live, and nothing in a gap', async (t) => {
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
  t.same(log.asked, [undefined, undefined], 'after the gap everything');
});

t.test(
  'those of whom somebody spoke are read together; what did not change is not told',
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

t.test('what was spoken of during a read is read again', async (t) => {
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

t.test('who is gone from the whole table is forgotten', async (t) => {
  const { reader, fleet, table, tell, settled } = setUp(t);
  tell(known('a'), known('b'));
  reader.setLive(true);
  await settled();
  table.delete('a');
  reader.invalidateAll();
  await settled();
  t.match(fleet.getPresence('a'), { presence: undefined });
});

t.test('a read that failed is tried again', async (t) => {
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

t.test('everything is read now and then', async (t) => {
  const { reader, tell, settled } = setUp(t, { fullReadIntervalMs: 10 });
  reader.setLive(true);
  await settled();
  tell(known('a'));
  await settled();
});

t.test('so many that nobody would ask for each are all', async (t) => {
  const { reader, log, settled } = setUp(t);
  reader.setLive(true);
  await settled();
  reader.invalidate(Array.from({ length: 10_001 }, (_, n) => `vm-${n}`));
  await until('it is read', () => log.asked.length >= 2);
  t.ok(log.asked.slice(1).includes(undefined));
});

t.test('a row that comes, goes, or has another assignment is read', async (t) => {
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
  // Both look at the same times, the patient one first.
  for (const { row } of [patient, impatient]) row('a', 'x');
  await until('the other is read', () => impatient.log.asked.length === 3);
  t.equal(patient.log.asked.length, 2);
});
