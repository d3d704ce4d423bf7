// Lists in pages: filtered and sorted as requested, and complete when a client follows `Link` to
// the end.

import { once } from 'node:events';
import { request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import t from 'tap';
import { SORTS } from '../../../src/gateway/database/vms.js';
import { createApi, type Api } from '../../helpers/api.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { bearer } from './ask.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
const COUNT = 60;
/** An e-mail address whose characters have a meaning in URLs. */
const ODD = 'a?b=c&d#e>"f%20+@x.y';
await database.query(
  `INSERT INTO vms (hostname, status, email, created_at, updated_at)
   SELECT 'vm-' || n, (ARRAY['available', 'in-use', 'failed'])[1 + n % 3],
     CASE WHEN n % 3 > 0 THEN CASE WHEN n % 2 = 0 THEN $2 ELSE 'ada@x.y' END END,
     CASE WHEN n % 7 > 0 THEN timestamp '2026-01-01' + make_interval(mins => n / 5) END,
     timestamp '2026-01-01' - make_interval(mins => n / 4)
   FROM generate_series(1, $1) n`,
  [COUNT, ODD],
);
const gateway = await startGateway(t, database);
const api = await createApi(gateway);

interface Page {
  readonly next: string | null;
  readonly vms: readonly { readonly hostname: string }[];
  readonly events: readonly Event[];
}

interface Event extends Record<'old_email' | 'new_email', string | null> {
  readonly id: number;
  readonly hostname: string;
}

const selectVms = ({ vms }: Page) => vms;
const selectEvents = ({ events }: Page) => events;

/** Collects every item from this URL on by following `Link`, and compares each link with `next`. */
async function follow<T>(
  ask: Api,
  itemsOf: (page: Page) => readonly T[],
  from: string,
): Promise<{ all: T[]; pages: number }> {
  const all: T[] = [];
  for (let url = from, pages = 1; ; pages++) {
    const answer = await ask('GET', url);
    if (answer.status !== 200) throw new Error(`${url}: ${answer.text}`);
    const page = answer.json as Page;
    all.push(...itemsOf(page));
    const link = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
    if ((link === undefined) !== (page.next === null)) throw new Error('Link and next differ');
    if (link === undefined) return { all, pages };
    if (!link.startsWith(`${gateway.url}/v1/`)) throw new Error(`${link} is of another origin`);
    if (new URL(link).searchParams.get('after') !== page.next) {
      throw new Error('Link names another page than next');
    }
    url = link.slice(gateway.url.length);
  }
}

const hostnames = (vms: readonly { hostname: string }[]) => vms.map(({ hostname }) => hostname);

t.test('pages of every order, size and filter make up the complete list', async (t) => {
  for (const sort of SORTS) {
    const column = sort.replace('-', '');
    const direction = sort.startsWith('-') ? 'DESC' : 'ASC';
    const nulls = direction === 'DESC' ? 'LAST' : 'FIRST';
    for (const [filter, where] of [
      ['', 'true'],
      ['&status=in-use', `status = 'in-use'`],
      [`&email=${encodeURIComponent(ODD)}`, `email = '${ODD}'`],
      ['&status=failed&email=ada@x.y', `status = 'failed' AND email = 'ada@x.y'`],
      ['&status=nothing', 'false'],
    ] as const) {
      const expected = await database.query<{ hostname: string }>(
        `SELECT hostname FROM vms WHERE ${where} ORDER BY ${column} ${direction} NULLS ${nulls}, id ${direction}`,
      );
      for (const limit of [7, 1000]) {
        const path = `/v1/vms?sort=${sort}&limit=${limit}${filter}`;
        const { all, pages } = await follow(api, selectVms, path);
        t.same(hostnames(all), hostnames(expected), path);
        t.equal(pages, Math.max(1, Math.ceil(expected.length / limit)));
      }
    }
  }
});

t.test('without a limit a page has a hundred items, sorted by id', async (t) => {
  const other = await createDatabase();
  await other.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 150) n`,
  );
  const { json } = await (await createApi(await startGateway(t, other)))('GET', '/v1/vms');
  const { vms, next } = json as { vms: { id: number }[]; next: string };
  t.same(
    vms.map(({ id }) => id),
    Array.from({ length: 100 }, (_, n) => n + 1),
  );
  t.equal(next, '100');
});

t.test('rows that appear or disappear between two pages shift no other row', async (t) => {
  const first = await api('GET', '/v1/vms?limit=10');
  await database.query(`DELETE FROM vms WHERE id <= 5`);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('late', 'available')`);
  const { next } = first.json as { next: string };
  const { all } = await follow(api, selectVms, `/v1/vms?limit=10&after=${next}`);
  t.same(hostnames(all), [...Array.from({ length: COUNT - 10 }, (_, n) => `vm-${n + 11}`), 'late']);
});

t.test('the audit is paged too, latest event first', async (t) => {
  const { all, pages } = await follow(api, selectEvents, '/v1/events?limit=9');
  const expected = await database.query<{ id: number }>(
    'SELECT id::int FROM vm_events ORDER BY id DESC',
  );
  t.same(
    all.map(({ id }) => id),
    expected.map(({ id }) => id),
  );
  t.equal(pages, Math.ceil(expected.length / 9));
  const adas = await follow(api, selectEvents, '/v1/events?limit=3&email=ada@x.y');
  t.ok(adas.all.length > 10);
  for (const { old_email, new_email } of adas.all) t.ok([old_email, new_email].includes('ada@x.y'));
});

t.test('a link is complete for any characters in the URL, encoded or not', async (t) => {
  await database.query(
    `INSERT INTO vms (hostname, status, email) VALUES ('q1', 'failed', 'q?r'), ('q2', 'failed', 'q?r')`,
  );
  const { all } = await follow(api, selectVms, '/v1/vms?limit=1&email=q?r');
  t.same(hostnames(all), ['q1', 'q2']);

  const hostname = 'a>b"c<d?e#f/..;g';
  const encoded = `/v1/vms/${encodeURIComponent(hostname)}`;
  await api('PUT', encoded);
  for (const status of ['failed', 'available', 'failed']) await api('PATCH', encoded, { status });
  const { all: events } = await follow(api, selectEvents, `${encoded}/events?limit=1`);
  t.same(hostnames(events), Array(4).fill(hostname));
  // fetch would encode these characters itself.
  const path = `${encoded.replace('%3E', '>').replace('%3C', '<').replace('%22', '"')}/events?limit=1`;
  t.match(await readLink(gateway, path), `<${gateway.url}${encoded}/events?limit=1&after=`);
});

t.test('a link has the origin that the client requested', async (t) => {
  const path = '/v1/vms?limit=1';
  const host = 'lab.example.org';
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': host };
  const direct = `<${gateway.url}/v1/vms?limit=1&after=`;
  t.match(await readLink(gateway, path, forwarded), direct, 'the headers of any client');
  t.match(await readLink(gateway, path, { host }), `<http://${host}/v1/vms?limit=1&after=`);

  const behindProxy = await startGateway(t, database, { trustProxy: ['127.0.0.1/32'] });
  const link = await readLink(behindProxy, path, forwarded);
  t.match(link, `<https://${host}/v1/vms?limit=1&after=`, 'the headers of a trusted proxy');
  for (const odd of ['a b', 'x>; rel="x', 'x/y', 'user@x', 'x:y', '']) {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': odd };
    t.match(await readLink(behindProxy, path, headers), /^<(https:\/\/127[^>]*)?\/v1\/vms\?/, odd);
  }
  const scheme = { 'x-forwarded-proto': 'javascript' };
  t.match(await readLink(behindProxy, path, scheme), '</v1/vms?limit=1&after=');
});

/** Reads the `Link` of a path that is sent as it is; `fetch` would encode it. */
async function readLink(
  { url, token }: Pick<typeof gateway, 'url' | 'token'>,
  path: string,
  headers: OutgoingHttpHeaders = {},
): Promise<string> {
  const sent = { ...bearer(await token('admin')), ...headers };
  const asking = request(`${url}/x`, { path, headers: sent });
  asking.end();
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  response.resume();
  return String(response.headers.link);
}
