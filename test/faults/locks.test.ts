// Locks on the tables, and sessions that stand still, on a server with few connections. The
// gateway's sessions stay within their documented number, other roles connect, requests are
// answered, and the gateway is ready again by itself.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../helpers/database.js';
import type { Timing } from '../../src/gateway/timing.js';
import { createApi } from '../helpers/api.js';
import { startGateway, type TestGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';

/** As documented in deploy/README.md. */
const MAX_SESSIONS = 13;
const SAMPLE_MS = 50;
const AGENTS = 8;
/** As many as the gateway runs at once, and as many again. */
const REQUESTS = 16;
/** Sessions of other programs beside the gateway's. */
const OTHERS = 5;

const { createDatabase } = await startServer(t, { settings: { max_connections: '25' } });

t.test('vms is locked', async (t) => {
  const { gateway, hold, work, countSessions } = await start(t);
  const countedSessions = countSessions();
  const agent = await gateway.connect('/v1/vms/vm-0', 'agent', 'vm-0');
  await agent.nextMessage('status');
  const release = await hold('vms');
  const working = work();
  t.match(await gateway.notReady(), 'holds a lock on it');
  const during = await working;
  t.strictSame(
    [...during.codes],
    ['503 database_busy'],
    'each request is answered with the reason',
  );
  t.match(await agent.nextMessage('feed'), { live: false });
  await release();
  await gateway.ready();
  t.match(await agent.nextMessage('feed'), { live: true });
  t.strictSame([...(await work()).codes], ['200 undefined']);
  const sessions = await countedSessions();
  t.ok(sessions <= MAX_SESSIONS, `${sessions} sessions`);
});

t.test('the tables of presence and of the audit are locked', async (t) => {
  const { query, gateway, hold, work, countSessions } = await start(t);
  const countedSessions = countSessions();
  const release = await hold('vm_presence, gateways, vm_events');
  const agent = await gateway.connect('/v1/vms/vm-0', 'agent', 'vm-0');
  t.match(await agent.nextMessage('status'), { vm: { hostname: 'vm-0' } });
  const { codes } = await work();
  t.notOk(
    [...codes].some((code) => code.startsWith('500')),
    [...codes].join(', '),
  );
  await release();
  await until('the agent is known to be online', async () => {
    const [row] = await query<{ online: boolean }>(
      `SELECT online FROM vm_presence WHERE hostname = 'vm-0'`,
    );
    return row?.online;
  });
  await gateway.ready();
  t.strictSame([...(await work()).codes], ['200 undefined']);
  const sessions = await countedSessions();
  t.ok(sessions <= MAX_SESSIONS, `${sessions} sessions`);
});

t.test('two of its sessions stand still', async (t) => {
  const { query, gateway, work, countSessions } = await start(t, { beatDeadlineMs: 1_000 });
  const countedSessions = countSessions();
  await work();
  const [listen] = await query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'lablink-gateway listen'`,
  );
  const [other] = await query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'lablink-gateway'`,
  );
  const frozen = [listen, other].map((session) => session?.pid ?? 0);
  const thaw = (): void => frozen.splice(0).forEach((pid) => process.kill(pid, 'SIGCONT'));
  t.teardown(thaw);
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  t.match(await gateway.notReady(), /LISTEN|heartbeat|answer/);
  await gateway.ready();
  const { codes } = await work();
  t.notOk(
    [...codes].some((code) => code.startsWith('500')),
    [...codes].join(', '),
  );
  thaw();
  await until('the former sessions are gone', async () => {
    const pids = [listen, other].map((session) => session?.pid ?? 0).join();
    return (await query(`SELECT FROM pg_stat_activity WHERE pid IN (${pids})`)).length === 0;
  });
  await gateway.ready();
  const sessions = await countedSessions();
  t.ok(sessions <= MAX_SESSIONS + 2, `${sessions} sessions`);
});

type Query = <R extends pg.QueryResultRow>(sql: string) => Promise<R[]>;

/** A gateway, a superuser who counts its sessions, and a session that locks tables. */
async function start(t: Test, timing: Partial<Timing> = {}) {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(0, $1::int) n`,
    [AGENTS],
  );
  const superuser = new pg.Client(database.adminConfig);
  await superuser.connect();
  t.teardown(() => superuser.end());
  const query: Query = async <R extends pg.QueryResultRow>(sql: string) =>
    (await superuser.query<R>(sql)).rows;
  const gateway = await startGateway(t, database, { timing });
  return {
    query,
    gateway,
    countSessions: () => countSessions(t, query),
    work: () => work(gateway, database),
    hold: (tables: string) => hold(t, database, tables),
  };
}

/** Samples the gateway's sessions; the returned function ends that with their highest number. */
function countSessions(t: Test, query: Query): () => Promise<number> {
  let most = 0;
  let over = false;
  t.teardown(() => (over = true));
  const sample = async (): Promise<void> => {
    while (!over) {
      const sessions = await query(
        `SELECT FROM pg_stat_activity WHERE application_name LIKE 'lablink-gateway%'`,
      );
      most = Math.max(most, sessions.length);
      await sleep(SAMPLE_MS);
    }
  };
  const sampling = sample();
  return async () => {
    over = true;
    await sampling;
    return most;
  };
}

/** Locks tables until the returned function is called. */
async function hold(
  t: Test,
  { config }: TestDatabase,
  tables: string,
): Promise<() => Promise<void>> {
  const holder = new pg.Client(config);
  await holder.connect();
  t.teardown(() => holder.end());
  await holder.query(`BEGIN; LOCK TABLE ${tables} IN ACCESS EXCLUSIVE MODE`);
  return async () => {
    await holder.query('COMMIT');
  };
}

/**
 * Sends requests of several admins at once, with agents and dashboards that connect, and other
 * programs that do.
 * @returns the answers of the requests, each as its status and code.
 */
async function work(gateway: TestGateway, { config }: TestDatabase) {
  const request = async (n: number): Promise<string> => {
    const api = await createApi(gateway, 'admin', `admin-${n}`);
    const path = `/v1/vms/vm-${1 + (n % AGENTS)}`;
    const { status, json } = await api('PATCH', path, { status: 'available' });
    return `${status} ${(json as { code?: string }).code}`;
  };
  const visit = async (n: number): Promise<void> => {
    const hostname = `vm-${n + 1}`;
    const agent = await gateway.connect(`/v1/vms/${hostname}`, 'agent', hostname);
    const dashboard = await gateway.connect('/v1/vms', 'dashboard');
    await Promise.all([agent.close(), dashboard.close()]);
  };
  const connectAsOther = async (): Promise<void> => {
    const other = new pg.Client({ ...config, application_name: 'another program' });
    await other.connect();
    await other.query('SELECT pg_sleep(0.5)');
    await other.end();
  };
  const requests = Array.from({ length: REQUESTS }, (_, n) => request(n));
  const visits = Array.from({ length: AGENTS }, (_, n) => visit(n));
  const others = Array.from({ length: OTHERS }, connectAsOther);
  const [answers] = await Promise.all([Promise.all(requests), ...visits, ...others]);
  return { codes: new Set(answers) };
}
