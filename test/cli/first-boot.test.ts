// A gateway that starts before its database, as on a machine's first boot: the server, its address,
// the role and the database appear one after the other, and later the address changes. The gateway
// is never restarted.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t, { type Test } from 'tap';
import { listServerAccounts } from '../../src/postgres/embedded/account.js';
import { listServers } from '../../src/postgres/embedded/binaries.js';
import { createCluster } from '../../src/postgres/embedded/cluster.js';
import { findServer } from '../../src/postgres/embedded/find-server.js';
import { openLog } from '../../src/postgres/embedded/log.js';
import { createSocketFolder } from '../../src/postgres/embedded/socket-folder.js';
import { startServerProcess } from '../../src/postgres/embedded/supervisor.js';
import { signToken } from '../../src/gateway/auth/token.js';
import { listeningAt } from '../helpers/gateway-process.js';
import { freePort } from '../helpers/free-port.js';
import { runCommand, temporaryFolder } from '../helpers/process.js';
import { connect } from '../helpers/raw-client.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';

const SECRET = 'a secret that only tests know, of enough bytes';

interface OwnServer {
  /** As the superuser, through its socket. */
  sql(text: string): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Creates a server like a distribution's package: its settings are in its own files. */
async function makeServer(t: Test, port: number): Promise<OwnServer> {
  const dataDir = await scratchFolder();
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  const folder = join(dataDir, 'postgres');
  const accounts = await listServerAccounts(folder);
  const required = { accounts, dataDir, majorVersion: undefined, binDir: undefined };
  const { binaries, account } = await findServer(required);
  await createCluster({ folder, binaries, account, durable: false });
  const socket = await createSocketFolder(folder, port, account);
  const log = await openLog(join(dataDir, 'postgres.log'));
  const superuser = { host: socket.path, port, user: 'postgres', database: 'postgres' };
  const sql = async (text: string): Promise<void> => {
    const client = new pg.Client(superuser);
    client.on('error', () => undefined);
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  let stop = async (): Promise<void> => undefined;
  t.teardown(async () => {
    await stop();
    await Promise.all([log.close(), socket.remove()]);
  });
  const start = async (): Promise<void> => {
    // ALTER SYSTEM can change every other setting.
    const settings = { unix_socket_directories: socket.setting, port: String(port), fsync: 'off' };
    const probeReadiness = () => sql('SELECT');
    const options = { binDir: binaries.binDir, folder, account, log, settings, probeReadiness };
    const server = await startServerProcess(options);
    stop = server.stop;
  };
  return { sql, start, stop: () => stop() };
}

t.test(
  'the gateway becomes ready without a restart',
  { skip: (await listServers()).length === 0 && 'no server' },
  async (t) => {
    const port = await freePort();
    const gateway = runCommand(t, ['serve'], {
      PORT: '0',
      DATA_DIR: await temporaryFolder(t),
      JWT_SECRET: SECRET,
      DATABASE_WAIT_SECONDS: '3600',
      DATABASE_URL: `postgresql://late_role:late-password-of-its-own@127.0.0.1:${port}/late_db`,
    });
    const url = await gateway.until(listeningAt);
    const waitsFor = (reason: RegExp): Promise<unknown> => {
      const from = gateway.stderr.length;
      return gateway.until(({ stderr }) => reason.test(stderr.slice(from)));
    };
    const isReady = async (): Promise<boolean> => (await fetch(`${url}/health/ready`)).ok;

    await waitsFor(/ECONNREFUSED/);
    t.equal((await fetch(`${url}/health/live`)).status, 200, 'it is alive meanwhile');
    const server = await makeServer(t, port);
    await server.start();
    await server.sql(`ALTER SYSTEM SET listen_addresses = ''`);
    await server.stop();
    await server.start();
    await waitsFor(/ECONNREFUSED/);
    t.equal(await isReady(), false, 'a server that listens nowhere');

    await server.sql(`ALTER SYSTEM SET listen_addresses = '127.0.0.1'`);
    await server.stop();
    await server.start();
    await waitsFor(/password authentication failed/);
    t.equal(await isReady(), false, 'a missing role');
    await server.sql(`CREATE ROLE late_role LOGIN PASSWORD 'late-password-of-its-own'`);
    await waitsFor(/late_db/);
    t.equal(await isReady(), false, 'a missing database');
    await server.sql('CREATE DATABASE late_db OWNER late_role');
    await until('it is ready', isReady);

    const token = signToken({ role: 'agent', sub: 'vm-1', ttlSeconds: 600 }, SECRET);
    const agent = await connect(`${url.replace('http', 'ws')}/v1/vms/vm-1`, [
      'lablink.v1',
      `bearer.${token}`,
    ]);
    await agent.nextMessage('absent');
    await server.sql(`ALTER SYSTEM SET listen_addresses = ''`);
    await server.stop();
    await server.start();
    await agent.nextMessage('feed');
    await until('it is not ready', async () => !(await isReady()));
    await server.sql(`ALTER SYSTEM SET listen_addresses = '127.0.0.1'`);
    await server.stop();
    await server.start();
    await until('it is ready again', isReady);

    const writer = new pg.Client({
      connectionString: `postgresql://late_role:late-password-of-its-own@127.0.0.1:${port}/late_db`,
    });
    await writer.connect();
    await writer.query(
      `INSERT INTO vms (hostname, status, email, crd_command) VALUES ('vm-1', 'in-use', 'x', 'run')`,
    );
    await writer.end();
    const assignment = await agent.nextMessage('assignment');
    t.match(assignment, { vm: { crd_command: 'run' } }, 'on the socket it had all the time');
  },
);
