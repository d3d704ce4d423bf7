// The server's notification queue fills, because another session listens and reads nothing. The log
// names the session before the queue is full. While it is full, changes fail with an answer that
// says so, and no change is lost. Then all goes on.

import { Writable } from 'node:stream';
import pg from 'pg';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { installedBinDirs, startServer, type TestDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { watch } from './checker.js';
import { fillQueue, queueUsage, stickInTransaction, stopReading } from './stuck-listeners.js';
import { HOSTNAMES, Writers } from './writers.js';

interface Suspect {
  readonly pid: number;
}

interface Warning {
  readonly level: number;
  readonly ratio: number;
  readonly msg: string;
  readonly sessions: readonly Suspect[];
}

/** A log, and what of it speaks of the queue. */
function queueLog() {
  const warnings: Warning[] = [];
  const lines = new Writable({
    write: (line: Buffer, _encoding, done) => {
      const entry = JSON.parse(line.toString()) as Omit<Warning, 'sessions'> & Partial<Warning>;
      if (entry.msg.includes('the queue of notifications'))
        warnings.push({ sessions: [], ...entry });
      done();
    },
  });
  return { log: pino(lines), warnings };
}

/** Another role, that may do nothing but listen. */
async function stranger({ adminConfig, config }: TestDatabase): Promise<pg.ClientConfig> {
  const admin = new pg.Client(adminConfig);
  await admin.connect();
  await admin.query(`CREATE ROLE stranger LOGIN`);
  await admin.query(`GRANT CONNECT ON DATABASE ${String(config.database)} TO stranger`);
  await admin.end();
  return { ...config, user: 'stranger', application_name: 'forgotten' };
}

async function grantMonitor({ adminConfig, config }: TestDatabase): Promise<void> {
  const admin = new pg.Client(adminConfig);
  await admin.connect();
  await admin.query(`GRANT pg_monitor TO ${String(config.user)}`);
  await admin.end();
}

/** A share of the queue's 8 GB, which a test does not fill. */
const LITTLE = 0.000_01;

async function withGateway(t: Test) {
  const server = await startServer(t);
  const database = await server.createDatabase();
  const { log, warnings } = queueLog();
  const gateway = await startGateway(t, database, { log, queueWarningRatio: LITTLE });
  const named = (pid: number) =>
    until('it is named', () =>
      warnings.flatMap(({ sessions }) => sessions).find((session) => session.pid === pid),
    );
  return { database, gateway, warnings, named };
}

t.test('a listener of the same role that stays in a transaction is named', async (t) => {
  const { database, warnings, named } = await withGateway(t);
  const config = { ...database.config, application_name: 'psql' };
  const stuck = await stickInTransaction(t, config);
  await fillQueue(database, LITTLE);
  const session = await named(stuck.pid);
  t.match(session, {
    application: 'psql',
    user: 'lablink',
    database: config.database,
    state: 'idle in transaction',
    since: /^\d{4}-\d\d-\d\dT.*Z$/,
  });
  t.match(warnings[0], { level: 50, msg: /pg_terminate_backend/ });
  t.ok((warnings[0]?.ratio ?? 0) >= LITTLE);
  await stuck.end();
  await until('it is well again', () => warnings.some(({ msg }) => msg.includes('no longer')));
});

t.test('one of another role too; since when is seen with more rights', async (t) => {
  const { database, named } = await withGateway(t);
  const stuck = await stickInTransaction(t, await stranger(database));
  await fillQueue(database, LITTLE);
  t.match(await named(stuck.pid), {
    ...{ application: 'forgotten', user: 'stranger', database: database.config.database },
    ...{ state: null, since: null },
  });
});

t.test('one that reads nothing is named with more rights', async (t) => {
  const { database, named } = await withGateway(t);
  await grantMonitor(database);
  const stuck = await stopReading(t, await stranger(database));
  // The payloads are soon more than sockets hold.
  const rows = `INSERT INTO vms (hostname, status, crd_command)
    SELECT 'vm-' || n, 'in-use', repeat('x', 6000) FROM generate_series(1, 2000) n`;
  await database.query(rows);
  await until('the queue is held up', async () => (await queueUsage(database)) >= LITTLE);
  t.match(await named(stuck.pid), { application: 'forgotten', since: /Z$/ });
});

const small = installedBinDirs().find(({ majorVersion }) => majorVersion >= 17);

t.test('a queue that is full', { skip: small === undefined && 'no PostgreSQL 17' }, async (t) => {
  const { binDir } = small ?? { binDir: '' };
  // The least there can be: 512 kB.
  const server = await startServer(t, { binDir, settings: { max_notify_queue_pages: '64' } });
  const database = await server.createDatabase();
  const { log, warnings } = queueLog();
  const gateway = await startGateway(t, database, { log });
  const checker = await watch(t, gateway, HOSTNAMES);
  const writers = new Writers(t, () => database.config);
  await writers.write(100);
  const stuck = await stickInTransaction(t, database.config);
  await fillQueue(database, 0.5);
  await until('it is named before the queue is full', () =>
    warnings.some(({ sessions }) => sessions.some(({ pid }) => pid === stuck.pid)),
  );
  await t.rejects(fillQueue(database, 2), { code: '54000' });
  await until('its heartbeat says so', async () =>
    (await gateway.notReady()).includes('queue of notifications is full'),
  );
  const answer = await fetch(`${gateway.url}/v1/vms/new`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${await gateway.token('admin')}` },
  });
  t.equal(answer.status, 503);
  t.match(await answer.json(), {
    code: 'database_busy',
    detail: /notification queue of the database is full/,
  });
  t.equal((await gateway.fetch('/v1/vms', 'admin')).status, 200, 'reads go on');

  await stuck.end();
  await gateway.ready();
  await writers.write(100);
  await checker.settled(database);
  t.same(await checker.violations(database), []);
  t.equal(checker.sockets, HOSTNAMES.length + 2, 'nobody lost a socket');
});
