// The payloads of vm_updates and vm_changes, byte for byte.

import { type Heard, listen, read, READ_ALL, row } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

/** The news of a row as it is now, as a session in UTC with PostgreSQL's own settings reads it. */
async function rowNow(session: Session, hostname: string): Promise<Heard> {
  const sql = 'SELECT row_to_json(vms)::text FROM vms WHERE hostname = $1';
  return row((await session.value(sql, [hostname])) ?? 'no such row');
}

const LENGTH = 'SELECT octet_length(row_to_json(vms)::text) FROM vms';

/**
 * Makes the one row exactly so long as JSON. In one transaction, because updated_at varies in
 * length.
 */
async function updateToLength(session: Session, letters: string, bytes: number): Promise<void> {
  await session.query('BEGIN');
  await session.query('UPDATE vms SET crd_command = $1', [letters]);
  const missing = bytes - Number(await session.value(LENGTH));
  await session.query('UPDATE vms SET crd_command = $1', [letters + 'x'.repeat(missing)]);
  await session.query('COMMIT');
}

/** Settings of a writer that would each change how row_to_json writes some value. */
const ODD_SETTINGS = `
  SET TIME ZONE 'America/St_Johns';
  SET DateStyle = 'SQL, DMY';
  SET IntervalStyle = 'iso_8601';
  SET extra_float_digits = -5;
  SET bytea_output = 'escape';
  SET quote_all_identifiers = on;
  SET search_path = '';`;

onEveryServer(async (t, { createDatabase }) => {
  t.test('INSERT and UPDATE send the row, exactly as row_to_json gives it', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    const { take } = await listen(t, config);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
    t.same(await take(), [await rowNow(session, 'a')]);
    await session.query(
      `UPDATE vms SET status = 'in-use', email = $1, crd_command = $2 WHERE hostname = 'a'`,
      ['zoë "😀" \\ \u2028', 'a\tb\n{"op":"read"}'],
    );
    t.same(await take(), [await rowNow(session, 'a')]);
  });

  t.test('a row reads the same whatever the settings of the writer', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(`SET TIME ZONE 'UTC'`);
    await session.query(`
      ALTER TABLE vms ADD COLUMN a timestamptz DEFAULT '2020-01-02 03:04:05Z',
        ADD COLUMN b interval DEFAULT '1 month 2 days 3 hours', ADD COLUMN c bytea DEFAULT '\\x00ff',
        ADD COLUMN d float8 DEFAULT 0.1::float8 + 0.2, ADD COLUMN e money DEFAULT 1234.5,
        ADD COLUMN f tstzrange DEFAULT '[2020-01-02 03:04:05Z,)', ADD COLUMN g date DEFAULT '2020-02-01',
        ADD COLUMN h regclass DEFAULT 'public.vms'::regclass, ADD COLUMN i point DEFAULT '(0.1,2)',
        ADD COLUMN j timestamptz[] DEFAULT '{2020-01-02 03:04:05Z}'`);
    const writer = await openSession(t, config);
    await writer.query(ODD_SETTINGS);
    const { take } = await listen(t, config);
    await writer.query(`INSERT INTO public.vms (hostname, status) VALUES ('a', 'available')`);
    const [heard] = await take();
    await session.query(`SET lc_monetary = 'C'; SET search_path = pg_catalog`);
    const sql = 'SELECT row_to_json(vms)::text FROM public.vms';
    t.equal(heard?.payload, await session.value(sql));
    const readVms = `SELECT row_text FROM public.read_vms(NULL)`;
    t.equal(await writer.value(readVms), heard?.payload, 'and so it does for a reader');
  });

  t.test('7,999 bytes travel and 8,000 do not: bytes, not characters', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    const { take } = await listen(t, config);
    await session.query(`SELECT setval('vms_version_seq', 1000)`);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
    for (const letters of ['x'.repeat(7_500), 'é'.repeat(3_750), '😀'.repeat(1_875)]) {
      for (const bytes of [7_999, 8_000]) {
        await take();
        await updateToLength(session, letters, bytes);
        t.equal(await session.value(LENGTH), String(bytes));
        const news = bytes < 8_000 ? await rowNow(session, 'a') : read('a');
        t.same((await take()).at(-1), news, `${letters.slice(0, 2)} to ${bytes} bytes`);
      }
    }
  });

  t.test('a row too large is a notice to read it, up to 1 MB and beyond', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    const { take } = await listen(t, config);
    for (const characters of [10_000, 1_000_000, 5_000_000]) {
      await session.query(
        `INSERT INTO vms (hostname, status, crd_command) VALUES ('a', 'available', $1)`,
        ['😀'.repeat(characters / 4)],
      );
      await session.query(`UPDATE vms SET status = 'in-use'`);
      t.same(await take(), [read('a'), read('a')], `${characters} bytes`);
      await session.query('DELETE FROM vms');
      await take();
    }
  });

  t.test('a rename sends the row and a notice to read the old name', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
    const { take } = await listen(t, config);
    await session.query(`UPDATE vms SET hostname = 'A "b" / é'`);
    t.same(await take(), [await rowNow(session, 'A "b" / é'), read('a')]);
    await session.query(`UPDATE vms SET hostname = 'c', crd_command = repeat('x', 9000)`);
    t.same(await take(), [read('c'), read('A "b" / é')]);
  });

  t.test('DELETE and TRUNCATE send notices', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'x'), ('b', 'x')`);
    const { take } = await listen(t, config);
    await session.query('DELETE FROM vms');
    t.same(await take(), [read('a'), read('b')]);
    await session.query('DELETE FROM vms');
    t.same(await take(), [], 'nothing was deleted');
    await session.query('TRUNCATE TABLE vms');
    await session.query('TRUNCATE TABLE vms RESTART IDENTITY CASCADE');
    t.same(await take(), [READ_ALL, READ_ALL]);
  });

  t.test('a name too long for a notice is a notice to read everything', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query('ALTER TABLE vms ALTER COLUMN hostname TYPE text');
    const { take } = await listen(t, config);
    const overhead = '{"op":"read","hostname":""}'.length;
    // Many different letters, because compression must not make the name fit the index.
    await session.query('ALTER TABLE vms DROP CONSTRAINT vms_hostname_key');
    for (const bytes of [7_999, 8_000]) {
      const hostname = 'é'.repeat(100) + 'x'.repeat(bytes - overhead - 200);
      await session.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'x')`, [hostname]);
      t.same(await take(), [bytes < 8_000 ? read(hostname) : READ_ALL]);
      await session.query('DELETE FROM vms');
      t.same(await take(), [bytes < 8_000 ? read(hostname) : READ_ALL]);
    }
  });

  t.test('nothing is sent for a transaction that is rolled back', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    const { take } = await listen(t, config);
    await session.query('BEGIN');
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'x')`);
    await session.query('ROLLBACK');
    t.same(await take(), []);
  });

  t.test('where rows are not stamped, a change is a notice to read the row', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'x')`);
    await session.query('ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger');
    const { take } = await listen(t, config);
    await session.query(`UPDATE vms SET status = 'y'`);
    t.same(await take(), [read('a')]);
    await session.query(`UPDATE vms SET hostname = 'b'`);
    t.same(await take(), [read('b'), read('a')]);
    await session.query(`UPDATE vms SET hostname = 'b'`);
    t.same(await take(), [], 'nothing was changed');
    await session.query(`INSERT INTO vms (hostname, status, version) VALUES ('c', 'x', NULL)`);
    t.same(await take(), [read('c')]);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('d', 'x')`);
    t.same(await take(), [await rowNow(session, 'd')], 'it has the default');
  });

  t.test('who listens to vm_updates alone hears rows and nothing else', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    const { take } = await listen(t, config, ['vm_updates']);
    await session.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'x')`);
    const first = await rowNow(session, 'a');
    await session.query(`UPDATE vms SET crd_command = repeat('x', 9000)`);
    await session.query(`UPDATE vms SET hostname = 'b', crd_command = NULL`);
    const last = await rowNow(session, 'b');
    await session.query(`UPDATE vms SET updated_at = now()`);
    await session.query('DELETE FROM vms');
    await session.query('TRUNCATE TABLE vms');
    t.same(await take(), [first, last]);
  });
});
