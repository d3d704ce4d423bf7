// One VM and pages of them, as HTTP reads them.

import t from 'tap';
import { findVm, listVms, type VmFilter } from '../../src/database/vms.js';
import { startDatabase } from '../helpers/database.js';

const database = await startDatabase(t);
await database.query(`
  INSERT INTO vms (hostname, status, email)
  SELECT 'vm-' || n, CASE WHEN n % 2 = 0 THEN 'in-use' ELSE 'available' END,
         CASE WHEN n % 2 = 0 THEN 'p' || n % 3 || '@b.c' END
  FROM generate_series(1, 12) n`);

/** The hostnames of a page, and where the next one begins. */
async function page(filter: Partial<VmFilter>): Promise<[string[], number | undefined]> {
  const all: VmFilter = { status: undefined, email: undefined, limit: 100, after: undefined };
  const { rows, next } = await listVms(database.pool, { ...all, ...filter });
  return [rows.map((row) => (JSON.parse(row) as { hostname: string }).hostname), next];
}

const names = (...numbers: number[]) => numbers.map((n) => `vm-${n}`);

t.test('pages follow each other in the order of id, and the last one says so', async (t) => {
  t.same(await page({ limit: 5 }), [names(1, 2, 3, 4, 5), 5]);
  t.same(await page({ limit: 5, after: 5 }), [names(6, 7, 8, 9, 10), 10]);
  t.same(await page({ limit: 5, after: 10 }), [names(11, 12), undefined]);
  t.same(await page({ limit: 12 }), [names(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), undefined]);
  t.same(await page({ after: 12 }), [[], undefined]);
  t.same(await page({ after: 2 ** 31 - 1 }), [[], undefined]);
});

t.test('filters go together', async (t) => {
  t.same(await page({ status: 'in-use', limit: 2 }), [names(2, 4), 4]);
  t.same(await page({ email: 'p0@b.c' }), [names(6, 12), undefined]);
  t.same(await page({ email: 'p0@b.c', status: 'in-use', after: 6 }), [names(12), undefined]);
  t.same(await page({ email: 'p0@b.c', status: 'available' }), [[], undefined]);
  t.same(await page({ status: `'; DROP TABLE vms; --` }), [[], undefined]);
  t.same(await page({ email: '' }), [[], undefined]);
});

t.test('one VM, as the table has it, or none', async (t) => {
  const [row] = await database.query<{ version: number; text: string }>(
    `SELECT version::int, row_to_json(v)::text AS text FROM vms v WHERE hostname = 'vm-3'`,
  );
  t.same(await findVm(database.pool, 'vm-3'), { version: row?.version, row: row?.text });
  t.equal(await findVm(database.pool, 'VM-3'), undefined);
  t.equal(await findVm(database.pool, ''), undefined);
});
