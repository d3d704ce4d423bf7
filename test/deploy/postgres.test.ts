// A server as deploy/ describes it: the accepted and rejected logins, the rights of the gateway's
// role, and a gateway whose queries go through PgBouncer.

import { readdir, readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import pg from 'pg';
import { startGatewayProcess } from '../faults/gateway-process.js';
import { createApi } from '../helpers/api.js';
import { runCommand, temporaryFolder } from '../helpers/process.js';
import { until } from '../helpers/until.js';
import { deployed } from './deployed.js';
import { noPgBouncer, noPostgres, startPgBouncer, startPostgres } from './postgres.js';

/** The guide's, in "Performance Tuning". */
const TUNED = {
  shared_buffers: '512MB',
  effective_cache_size: '1GB',
  maintenance_work_mem: '128MB',
  checkpoint_completion_target: '0.9',
  wal_buffers: '16MB',
  default_statistics_target: '100',
  random_page_cost: '1.1',
  effective_io_concurrency: '200',
  work_mem: '5MB',
  min_wal_size: '1GB',
  max_wal_size: '4GB',
};

/** A socket whose own address is this one. */
class SocketOf extends Socket {
  constructor(private readonly own: string) {
    super();
  }

  override connect(...[port, host]: unknown[]): this {
    return super.connect({ port: Number(port), host: String(host), localAddress: this.own });
  }
}

t.test('grants.sql has all the rights that schema/README.md names', async (t) => {
  const grantsIn = (sql: string): string[] =>
    [...sql.matchAll(/^GRANT (.*) ON (.*) TO (?:lablink_)?gateway;$/gm)].flatMap(
      ([, rights = '', objects = '']) => objects.split(', ').map((name) => `${rights} ON ${name}`),
    );
  const named = grantsIn(await readFile('schema/README.md', 'utf8'));
  t.ok(named.length > 4);
  const granted = grantsIn(await deployed('postgres/grants.sql'));
  t.same(
    named.filter((grant) => !granted.includes(grant)),
    [],
  );
});

t.test('a server with our files', { skip: noPostgres || noPgBouncer }, async (t) => {
  const server = await startPostgres(t);
  const passwordFile = (role: string): string =>
    join(server.secrets, role === 'lablink' ? 'owner_password' : 'gateway_password');
  const buildEnvironment = (role: string, port?: number) => ({
    DATABASE_URL: server.url(role, port),
    PGPASSWORD_FILE: passwordFile(role),
  });
  /** A session of this role as the file says it comes, but for `how`. */
  const session = async (t: Test, role: string, how: pg.ClientConfig = {}): Promise<pg.Client> => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: server.port,
      user: role,
      database: 'lablink_db',
      password: (await readFile(passwordFile(role), 'utf8')).trim(),
      ssl: { ca: await readFile(join(server.secrets, 'ca.crt'), 'utf8') },
      ...how,
    });
    client.on('error', () => undefined);
    t.teardown(() => client.end().catch(() => undefined));
    await client.connect();
    return client;
  };
  const command = async (...args: string[]): Promise<void> => {
    const program = runCommand(t, args, buildEnvironment('lablink'));
    t.match(await program.exited, { code: 0 }, program.stdout + program.stderr);
  };
  const grants = await deployed('postgres/grants.sql');
  await command('db', 'migrate');
  await command('db', 'sql', '--', grants);

  t.test('is tuned as the guide says, and its files have no faults', async (t) => {
    for (const [name, value] of Object.entries(TUNED)) {
      t.equal(await server.operate(['-c', `SHOW ${name}`, 'postgres']), value, name);
    }
    const faults = `SELECT error FROM pg_file_settings WHERE error IS NOT NULL
      UNION ALL SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL`;
    t.equal(await server.operate(['-c', faults, 'postgres']), '');
  });

  t.test('keeps the values of statements out of its log, for each role', async (t) => {
    for (const role of ['lablink', 'lablink_gateway']) {
      const client = await session(t, role);
      for (const name of ['log_parameter_max_length', 'log_parameter_max_length_on_error']) {
        t.match((await client.query(`SHOW ${name}`)).rows, [{ [name]: '0' }], role);
        const settings = `SELECT FROM pg_db_role_setting WHERE setrole = $1::regrole AND $2 = ANY (setconfig)`;
        t.equal((await client.query(settings, [role, `${name}=0`])).rowCount, 1, role);
      }
    }
  });

  t.test('lets in whom it knows, over TLS, with a password, from where it says', async (t) => {
    for (const role of ['lablink', 'lablink_gateway']) {
      await session(t, role);
      await t.rejects(session(t, role, { ssl: false }), { code: '28000' }, 'without TLS');
      await t.rejects(session(t, role, { password: 'lablink' }), { code: '28P01' });
    }
    await t.rejects(session(t, 'lablink_gateway', { database: 'postgres' }), { code: '28000' });
    await t.rejects(session(t, 'lablink', { user: 'postgres' }), { code: '28000' });
    const stream = () => new SocketOf('127.0.0.2');
    await t.rejects(session(t, 'lablink_gateway', { stream }), { code: '28000' }, 'elsewhere');
    const rules = await server.operate([
      '-c',
      `SELECT count(*) FROM pg_hba_file_rules WHERE auth_method IN ('trust', 'md5', 'password')
         OR address IN ('0.0.0.0', '::', 'all') OR type IN ('host', 'hostnossl')`,
      'postgres',
    ]);
    t.equal(rules, '0');
  });

  t.test('roles.sql and grants.sql may be run again, and change passwords', async (t) => {
    await server.operate(['-f', join(server.folder, 'roles.sql'), 'postgres']);
    await command('db', 'sql', '--', grants);
    await session(t, 'lablink_gateway');
    const stored = `SELECT rolname FROM pg_authid WHERE rolcanlogin AND rolpassword NOT LIKE 'SCRAM-SHA-256$%'`;
    t.equal(await server.operate(['-c', stored, 'postgres']), '');
  });

  t.test('the owner can make a backup and prove it, and the doctor finds nothing', async (t) => {
    const folder = await temporaryFolder(t);
    await command('db', 'backup', '--dir', folder, '--keep-days', '7', '--verify');
    t.match(await readdir(folder), [/^lablink_db_\d{8}T\d{6}Z\.sql$/]);
    await command('db', 'doctor');
  });

  t.test('the role of the gateway may do nothing but its work', async (t) => {
    const gateway = await session(t, 'lablink_gateway');
    for (const sql of [
      'CREATE TABLE mine ()',
      'CREATE TEMP TABLE mine ()',
      'CREATE SCHEMA mine',
      'CREATE ROLE mine',
      'ALTER TABLE vms DISABLE TRIGGER ALL',
      'TRUNCATE vms',
      'DROP TABLE vms',
      'DELETE FROM vm_events',
      `UPDATE vm_events SET actor = 'another'`,
      `INSERT INTO vm_events (op) VALUES ('x')`,
      `SELECT prune_vm_events('0 days')`,
      'DELETE FROM lablink_migrations',
      'TRUNCATE vm_deliveries',
      'DROP TABLE vm_enrolments',
      `SELECT setval('vms_version_seq', 1)`,
      'SELECT * FROM pg_authid',
      `COPY vms TO PROGRAM 'true'`,
      `COPY vms TO '/tmp/vms'`,
      `SELECT pg_read_file('PG_VERSION')`,
      'SET ROLE lablink',
      'SET session_replication_role = replica',
    ]) {
      await t.rejects(gateway.query(sql), { code: '42501' }, sql);
    }
  });

  t.test('a gateway on it, with its queries through PgBouncer', async (t) => {
    const port = await startPgBouncer(t, server, {
      'client_idle_timeout = 60': 'client_idle_timeout = 1',
      'server_idle_timeout = 60': 'server_idle_timeout = 1',
    });
    const idle = await session(t, 'lablink_gateway', { port });
    const cut = new Promise<void>((resolve) => idle.once('end', resolve));
    const gateway = await startGatewayProcess(
      t,
      {},
      {
        PGHOST: '',
        PGPORT: '',
        ...buildEnvironment('lablink_gateway', port),
        LISTEN_DATABASE_URL: `postgresql://localhost:${server.port}`,
        MIGRATE: 'check',
      },
    );
    const admin = await createApi(gateway);
    const asAgent = await createApi(gateway, 'agent', 'vm-1');

    t.equal((await asAgent('PUT', '/v1/vms/vm-1')).status, 201);
    const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
    const given = await admin('POST', '/v1/assignments', { email: 'a@b.c', crd_command: 'run' });
    t.equal(given.status, 201);
    const { vm } = await agent.nextMessage('assignment');
    const { assignment_id } = vm as { assignment_id: string };
    agent.send({ type: 'ack', assignment_id });
    agent.send({ type: 'status', status: 'failed', assignment_id });
    t.match(await agent.nextMessage('status'), { vm: { status: 'failed' } });
    const released = await admin('DELETE', `/v1/assignments/${assignment_id}`);
    t.equal(released.status, 200);
    t.equal((await admin('PATCH', '/v1/vms/vm-1', { status: 'available' })).status, 200);
    t.equal((await admin('GET', '/v1/vms/vm-1/events')).status, 200);
    t.equal((await admin('GET', '/v1/stats')).status, 200);
    t.equal((await admin('GET', '/v1/vms/vm-1/deliveries')).status, 200);
    t.equal((await admin('POST', '/v1/enrolments', { hostname: 'vm-9' })).status, 201);
    t.equal((await admin('DELETE', '/v1/enrolments/vm-9')).status, 204);
    t.equal((await admin('DELETE', '/v1/vms/vm-9')).status, 204);
    t.equal((await admin('DELETE', '/v1/vms/vm-1')).status, 204);
    await admin('PUT', '/v1/vms/vm-2');
    t.match(await admin('DELETE', '/v1/vms?confirm=1'), { status: /^20[04]$/ });
    await agent.nextMessage('absent');

    await cut; // Unused connections are closed, and so are the gateway's own.
    const heartbeats = async (): Promise<{ arrived: number; missed: boolean }> => {
      const text = await (await fetch(`${gateway.url}/metrics`)).text();
      const arrived = /^lablink_heartbeat_round_trip_seconds_count (\d+)/m.exec(text)?.[1];
      return { arrived: Number(arrived), missed: /^lablink_heartbeats_missed_total\{/m.test(text) };
    };
    const { arrived: before } = await heartbeats();
    await until('heartbeats arrive', async () => (await heartbeats()).arrived >= before + 2);
    t.equal((await heartbeats()).missed, false);
    t.equal((await admin('PUT', '/v1/vms/vm-1')).status, 201);
    await agent.nextMessage('status');
    const sessions = await server.operate([
      '-c',
      `SELECT count(*) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid)
         WHERE usename = 'lablink_gateway' AND NOT ssl`,
      'postgres',
    ]);
    t.equal(sessions, '0', 'every connection is encrypted');
    t.notMatch(gateway.log, 'permission denied');
  });

  t.end();
});
