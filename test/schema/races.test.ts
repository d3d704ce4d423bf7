// Eight writers at once on a few hostnames: no write fails, and the versions of one row only rise.

import { listen } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

const WRITERS = 8;
const WRITES = 150;
const HOSTNAMES = ['a', 'b', 'c'];

/** A row lives from its INSERT to its DELETE under one id, and a hostname may see many rows. */
interface News {
  readonly id: number;
  readonly hostname: string;
  readonly version: number;
}

const UPSERT = `
  INSERT INTO vms (hostname, status, email) VALUES ($1, 'in-use', $2)
  ON CONFLICT (hostname) DO UPDATE SET email = EXCLUDED.email, status = 'available'`;
const TAKE = `UPDATE vms SET status = 'in-use', email = $2 WHERE hostname = $1`;
const DELETE = 'DELETE FROM vms WHERE hostname = $1';

/** Writes in autocommit; which statement to which hostname differs from writer to writer. */
async function write(session: Session, writer: number): Promise<void> {
  for (let n = 0; n < WRITES; n++) {
    const hostname = HOSTNAMES[(n * (writer + 1) + writer) % HOSTNAMES.length] ?? '';
    if ((n + writer) % 3 === 0) await session.query(DELETE, [hostname]);
    else await session.query((n + writer) % 3 === 1 ? UPSERT : TAKE, [hostname, `${writer} ${n}`]);
  }
}

onEveryServer(async (t, { createDatabase }) => {
  t.test('concurrent INSERT ... ON CONFLICT, UPDATE and DELETE', async (t) => {
    const { config } = await createDatabase();
    const { take } = await listen(t, config, ['vm_updates']);
    const writers = [];
    for (let n = 0; n < WRITERS; n++) writers.push(await openSession(t, config));
    await t.resolves(Promise.all(writers.map(write)), 'no write fails');

    const payloads = (await take()).map(({ payload }) => payload);
    const news = payloads.map((payload) => JSON.parse(payload) as News);
    t.ok(news.length > WRITES, `${news.length} rows were sent`);
    const last = new Map<number, number>();
    const fallen = news.filter(({ id, version }) => {
      const before = last.get(id) ?? 0;
      last.set(id, version);
      return version <= before;
    });
    t.same(fallen, [], 'the versions of a row rise, in the order of commits');
    t.equal(new Set(news.map(({ version, id }) => `${id} ${version}`)).size, news.length);

    const session = await openSession(t, config);
    const rows = await session.query<{ text: string }>(
      'SELECT row_to_json(vms)::text AS text FROM vms',
    );
    for (const { text } of rows) {
      const { id } = JSON.parse(text) as News;
      t.equal(
        payloads[news.findLastIndex((heard) => heard.id === id)],
        text,
        'the last news is the row',
      );
    }
    t.comment(`${crossings(news)} of ${news.length} came below the one before of their hostname`);
  });

  t.test('renames onto each other, each to a name that is just free', async (t) => {
    const { config } = await createDatabase();
    const session = await openSession(t, config);
    await session.query(
      `INSERT INTO vms (hostname, status) VALUES ('a', 'x'), ('b', 'x'), ('c', 'x')`,
    );
    const { take } = await listen(t, config, ['vm_updates']);
    for (let n = 0; n < 10; n++) {
      await session.query('BEGIN');
      for (const [from, to] of [
        ['a', 'free'],
        ['b', 'a'],
        ['c', 'b'],
        ['free', 'c'],
      ]) {
        await session.query('UPDATE vms SET hostname = $2 WHERE hostname = $1', [from, to]);
      }
      await session.query(n % 2 ? 'COMMIT' : 'ROLLBACK');
    }
    const news = (await take()).map(({ payload }) => JSON.parse(payload) as News);
    t.equal(news.length, 20, 'what was rolled back is not sent');
    const versions = news.map(({ version }) => version);
    t.same(
      versions,
      versions.toSorted((a, b) => a - b),
    );
  });
});

/** How often the news of a hostname came with a version below its predecessor's. */
function crossings(news: readonly News[]): number {
  const last = new Map<string, number>();
  return news.filter(({ hostname, version }) => {
    const before = last.get(hostname) ?? 0;
    last.set(hostname, version);
    return version < before;
  }).length;
}
