// Reading one VM, and pages of VMs, for HTTP.

import t from 'tap';
import {
  findVm,
  readVmPage,
  SORTS,
  type Position,
  type VmPageQuery,
} from '../../../src/gateway/database/vms.js';
import { startDatabase } from '../../helpers/database.js';

const database = await startDatabase(t);
await database.query(`
  INSERT INTO vms (hostname, status, email, created_at, updated_at)
  SELECT 'vm-' || n, CASE WHEN n % 2 = 0 THEN 'in-use' ELSE 'available' END,
         CASE WHEN n % 2 = 0 THEN 'p' || n % 3 || '@b.c' END,
         CASE WHEN n < 12 THEN timestamp '2026-01-01' + n * n % 13 * interval '1 day' END,
         CASE n WHEN 3 THEN 'infinity' WHEN 4 THEN '-infinity' WHEN 5 THEN timestamp '0044-03-15 BC'
           ELSE timestamp '2026-01-01 00:00:00.000001' + n % 4 * interval '1 hour' END
  FROM generate_series(1, 12) n`);

/** Reads the hostnames of a page, and the position of the next one. */
async function page(query: Partial<VmPageQuery>): Promise<[string[], Position | undefined]> {
  const all: VmPageQuery = {
    status: undefined,
    email: undefined,
    sort: 'id',
    limit: 100,
    after: undefined,
  };
  const { rows, next } = await readVmPage(database.pool, { ...all, ...query });
  return [rows.map(({ row }) => (JSON.parse(row) as { hostname: string }).hostname), next];
}

const names = (...numbers: number[]) => numbers.map((n) => `vm-${n}`);
const at = (id: number): Position => ({ id, time: undefined });

t.test(
  'pages follow each other in the order of id, and the last page has no next one',
  async (t) => {
    t.same(await page({ limit: 5 }), [names(1, 2, 3, 4, 5), at(5)]);
    t.same(await page({ limit: 5, after: at(5) }), [names(6, 7, 8, 9, 10), at(10)]);
    t.same(await page({ limit: 5, after: at(10) }), [names(11, 12), undefined]);
    t.same(await page({ limit: 12 }), [names(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), undefined]);
    t.same(await page({ after: at(12) }), [[], undefined]);
    t.same(await page({ after: at(2 ** 31 - 1) }), [[], undefined]);
  },
);

t.test(
  'pages of every size and order contain every VM once, in the order of the whole list',
  async (t) => {
    for (const sort of SORTS) {
      const [whole] = await page({ sort });
      t.equal(new Set(whole).size, 12, sort);
      for (const limit of [1, 2, 5, 12]) {
        const seen: string[] = [];
        let after: Position | undefined;
        do {
          const [hostnames, next] = await page({ sort, limit, after });
          seen.push(...hostnames);
          after = next;
        } while (after !== undefined);
        t.same(seen, whole, `${sort}, ${limit} a page`);
      }
    }
  },
);

t.test(
  'lists available VMs by age, and VMs in use the latest first, as the database guide requires',
  async (t) => {
    const byAge = await database.query<{ hostname: string }>(
      `SELECT hostname FROM vms WHERE status = 'available' ORDER BY created_at NULLS FIRST, id`,
    );
    t.same(
      (await page({ status: 'available', sort: 'created_at' }))[0],
      byAge.map(({ hostname }) => hostname),
    );
    const latest = await database.query<{ hostname: string }>(
      `SELECT hostname FROM vms WHERE status = 'in-use' ORDER BY updated_at DESC, id DESC`,
    );
    t.same(
      (await page({ status: 'in-use', sort: '-updated_at' }))[0],
      latest.map(({ hostname }) => hostname),
    );
  },
);

t.test('a row that moves between two pages shifts no other row', async (t) => {
  const [first, after] = await page({ sort: 'id', limit: 4 });
  await database.query(`DELETE FROM vms WHERE hostname = 'vm-2'`);
  const [second] = await page({ sort: 'id', limit: 4, after });
  t.same([...first, ...second], names(1, 2, 3, 4, 5, 6, 7, 8));
  await database.query(
    `INSERT INTO vms (id, hostname, status, email) VALUES (2, 'vm-2', 'in-use', 'p2@b.c')`,
  );
});

t.test('filters can be combined', async (t) => {
  t.same(await page({ status: 'in-use', limit: 2 }), [names(2, 4), at(4)]);
  t.same(await page({ email: 'p0@b.c' }), [names(6, 12), undefined]);
  t.same(await page({ email: 'p0@b.c', status: 'in-use', after: at(6) }), [names(12), undefined]);
  t.same(await page({ email: 'p0@b.c', status: 'available' }), [[], undefined]);
  t.same(await page({ status: `'; DROP TABLE vms; --` }), [[], undefined]);
  t.same(await page({ email: '' }), [[], undefined]);
});

t.test('a time that does not exist is an error of class 22', async (t) => {
  const after = { id: 1, time: '2026-02-30T00:00:00' };
  await t.rejects(page({ sort: 'updated_at', after }), { code: '22008' });
  t.same((await page({ limit: 1 }))[0], names(1), 'the connection is as good as before');
});

t.test('reads one VM, or none', async (t) => {
  const [row] = await database.query<{ version: number; text: string }>(
    `SELECT version::int, row_to_json(v)::text AS text FROM vms v WHERE hostname = 'vm-3'`,
  );
  t.same(await findVm(database.pool, 'vm-3'), { version: row?.version, row: row?.text });
  t.equal(await findVm(database.pool, 'VM-3'), undefined);
  t.equal(await findVm(database.pool, ''), undefined);
});
