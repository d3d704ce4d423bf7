// A gateway that is asked to end does so in every state. Its sockets are closed with the request to
// come back, no session stays in the database, and nothing keeps the process alive.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { createGateway } from '../../../src/gateway/gateway.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway, type TestGatewayOptions } from '../../helpers/gateway.js';
import { until } from '../../helpers/until.js';

const server = await startServer(t);

const KINDS = ['TCPServerWrap', 'TCPSocketWrap', 'PipeWrap', 'PipeConnectWrap', 'Timeout'];

/** Counts the handles that would keep the process alive, by kind. */
function handles(): Map<string, number> {
  const active = process.getActiveResourcesInfo();
  return new Map(KINDS.map((kind) => [kind, active.filter((name) => name === kind).length]));
}

/** Runs one statement as the superuser, on a connection of its own. */
async function administer(sql: string, database = 'postgres'): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({
    ...server.server.connection,
    user: 'postgres',
    database,
  });
  await client.connect();
  try {
    return (await client.query<pg.QueryResultRow>(sql)).rows;
  } finally {
    await client.end();
  }
}

const SESSIONS = `
  SELECT datname, application_name, state FROM pg_stat_activity
  WHERE application_name LIKE 'lablink-gateway%'`;

interface Case {
  readonly options?: TestGatewayOptions;
  /** Brings the gateway into the state in which it must end. */
  readonly reach: (gateway: TestGateway, t: Test) => Promise<unknown>;
  /** Undoes the state before the next test. */
  readonly restore?: () => Promise<unknown>;
}

/**
 * Freezes the server and the gateway's sessions in it, so that queries are neither answered nor
 * rejected.
 */
let frozen: number[] = [];
const thaw = async (): Promise<void> => {
  for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
};
async function freeze(t: Test): Promise<void> {
  const sessions = await administer(
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'lablink-gateway%'`,
  );
  t.teardown(thaw);
  const pidFile = await readFile(join(server.server.connection.host, 'postmaster.pid'), 'utf8');
  frozen = [Number.parseInt(pidFile, 10), ...sessions.map(({ pid }) => Number(pid))];
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
}

const NOWHERE = { ...server.server.connection, database: 'there_is_none' };

const CASES: Readonly<Record<string, Case>> = {
  'when all is well': { reach: (gateway) => gateway.ready() },
  'at once after its start': { reach: async () => undefined },
  'while the fleet is read for the first time': {
    reach: ({ database }) =>
      administer(`SELECT pg_notify('vm_changes', '{"op":"read"}')`, database.config.database),
  },
  'without its database': {
    options: { database: NOWHERE, listenDatabase: NOWHERE },
    reach: (gateway) => gateway.notReady(),
  },
  'without its server': {
    reach: async (gateway) => {
      await gateway.ready();
      await server.stop();
      await gateway.notReady();
    },
    restore: server.start,
  },
  'while LISTEN hears nothing': {
    options: { timing: { beatIntervalMs: 50, beatDeadlineMs: 500 } },
    reach: (gateway) =>
      until('the reason is named', async () =>
        (await gateway.notReady()).includes('LISTEN_DATABASE_URL'),
      ),
  },
  'just after its LISTEN connection was ended': {
    reach: async (gateway) => {
      await gateway.ready();
      await administer(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '% listen'`,
      );
    },
  },
  'while the database answers nothing': {
    reach: async (gateway, t) => {
      await gateway.ready();
      await freeze(t);
      void gateway.fetch('/v1/vms', 'admin').catch(() => undefined);
      await until('the request is under way', () => gateway.notReady());
    },
    options: { timing: { beatIntervalMs: 50, beatDeadlineMs: 500 } },
    restore: thaw,
  },
};

async function elsewhere(name: string, database: TestDatabase): Promise<TestGatewayOptions> {
  if (name !== 'while LISTEN hears nothing') return {};
  const other = await server.createDatabase();
  return { database: database.config, listenDatabase: other.config };
}

t.test('it ends before it has started', async (t) => {
  const database = await server.createDatabase();
  const app = createGateway({
    database: database.config,
    listenDatabase: database.config,
    jwtSecrets: ['x'.repeat(32)],
    jwtPublicKeys: [],
    allowedOrigins: [],
    trustProxy: false,
    requestsPerMinute: 1_000_000,
    dashboardColumns: [],
    socketLimits: { total: 1, perAddress: 1, perIdentity: 1 },
    drainMs: 1_000,
    log: pino({ level: 'silent' }),
  });
  await app.close();
  app.startFeed();
  await t.rejects(app.listen('127.0.0.1', 0));
  t.same(await administer(SESSIONS), []);
});

for (const [name, { reach, options, restore }] of Object.entries(CASES)) {
  t.test(`it ends ${name}`, async (t) => {
    const database = await server.createDatabase();
    const others = await elsewhere(name, database);
    await until(
      'the gateways before it are gone',
      async () => (await administer(SESSIONS)).length === 0,
    );
    const before = handles();
    const gateway = await startGateway(t, database, { ...others, ...options, waitReady: false });
    await reach(gateway, t);
    const client = await gateway.connect('/v1/vms', 'admin').catch(() => undefined);

    const [first, second] = [gateway.app.close(), gateway.app.close()];
    t.equal(first, second, 'it ends once');
    await first;
    if (client !== undefined) t.match(await client.closed, { code: 1012 });
    await t.rejects(fetch(`${gateway.url}/health/live`), 'nothing is served');
    await restore?.();
    await until('no session is left', async () => (await administer(SESSIONS)).length === 0);
    await until('nothing is left that keeps the process alive', () =>
      [...handles()].every(([kind, count]) => count <= (before.get(kind) ?? 0)),
    );
    gateway.app.startFeed();
    t.same(await administer(SESSIONS), [], 'it does not begin again');
  });
}
