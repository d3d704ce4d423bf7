// The machinery itself: each way to spoil a link or a server does what it says.

import t, { type Test } from 'tap';
import pg from 'pg';
import { startServer } from '../helpers/database.js';
import { until } from '../helpers/until.js';
import { startProxy } from './proxy.js';
import { crash, freeze, kill } from './server-faults.js';

const server = await startServer(t);
const database = await server.createDatabase();

/** For what answers: far beyond what it takes. */
const PATIENCE_MS = 60_000;
/** For what never does. */
const IMPATIENCE_MS = 1_000;
const UNANSWERED = { text: 'SELECT', query_timeout: IMPATIENCE_MS };

async function connected(t: Test, config: pg.ClientConfig, patienceMs = PATIENCE_MS) {
  const deadlines = { connectionTimeoutMillis: patienceMs, query_timeout: patienceMs };
  const client = new pg.Client({ ...config, ...deadlines });
  client.on('error', () => undefined);
  await client.connect();
  t.teardown(() => client.end().catch(() => undefined));
  return client;
}

t.test('a link', async (t) => {
  const proxy = await startProxy(t, database.config);
  const config = proxy.through(database.config);
  const open = (patienceMs?: number) => connected(t, config, patienceMs);

  const first = await open();
  t.equal((await first.query('SELECT')).rowCount, 1);
  t.equal(proxy.open, 1);
  proxy.hang();
  await t.rejects(first.query(UNANSWERED), /timeout/, 'says nothing');
  const second = await open();
  await t.resolves(second.query('SELECT'), 'a new one is well');
  proxy.swallow();
  await t.rejects(open(IMPATIENCE_MS), /timeout/, 'a new one is not');
  await proxy.heal();
  await t.rejects(second.query(UNANSWERED), /timeout/, 'what was silent stays so');

  for (const spoil of ['cut', 'reset'] as const) {
    const client = await open();
    const query = client.query('SELECT pg_sleep(3600)');
    setTimeout(() => proxy[spoil](), 50);
    await t.rejects(query, /terminated|ECONNRESET/, spoil);
  }
  await proxy.refuse();
  await t.rejects(open(), /ECONNREFUSED/);
  await proxy.heal();

  const slow = await open();
  proxy.delay(100);
  const beganMs = performance.now();
  await slow.query('SELECT');
  t.ok(performance.now() - beganMs >= 190, 'later by twice the delay');
  await proxy.heal();
  proxy.throttle(10_000);
  const throttledMs = performance.now();
  await slow.query(`SELECT repeat('x', 2000)`);
  t.ok(performance.now() - throttledMs >= 190, 'no faster than that');
  await proxy.heal();

  proxy.retarget({ host: '/nowhere' });
  await t.rejects(open(), 'a new one leads elsewhere');
  await t.resolves(slow.query('SELECT'), 'the others stay where they are');
});

t.test('a server', async (t) => {
  const thaw = await freeze(database);
  await t.rejects(connected(t, database.config, IMPATIENCE_MS), /timeout/, 'frozen');
  thaw();
  const client = await connected(t, database.config);
  const ended = new Promise((resolve) => client.once('end', resolve));
  await crash(database);
  await ended; // as every session does
  await until('it has recovered', () => database.query('SELECT').catch(() => undefined));
  await kill(database);
  await t.rejects(connected(t, database.config), 'gone');
  await server.start();
  await t.resolves(connected(t, database.config));
});
