// Debian's PostgreSQL with postgresql.conf, pg_hba.conf and roles.sql of deploy/, behind PgBouncer
// with its file. The servers are created and started as deploy/README.md says, each as the system
// user postgres.

import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Teardown } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { cleanEnvironment, run } from '../helpers/process.js';
import { until } from '../helpers/until.js';
import { makeSecrets, substituted } from './deployed.js';

const BIN = '/usr/lib/postgresql/15/bin';
const exec = promisify(execFile);

/** For a test's `skip`: false where there is all that is needed. */
export const noPostgres =
  (!existsSync(`${BIN}/postgres`) && 'PostgreSQL 15 is not installed') ||
  (process.getuid?.() !== 0 && 'only root can become the system user postgres');
export const noPgBouncer = !existsSync('/usr/sbin/pgbouncer') && 'PgBouncer is not installed';

const AS_POSTGRES = ['--reuid', 'postgres', '--regid', 'postgres', '--init-groups', '--'];

export class PostgresServer {
  constructor(
    /** The files that `make-secrets.sh` made. */
    readonly secrets: string,
    readonly folder: string,
    readonly port: number,
  ) {}

  /** The URL of `compose.yaml`: TLS, with the server's certificate and name checked. */
  url(role: string, port = this.port): string {
    const tls = `sslmode=verify-full&sslrootcert=${this.secrets}/ca.crt`;
    return `postgresql://${role}@localhost:${port}/lablink_db?${tls}`;
  }

  /** Runs psql as the operator on the server itself; resolves with what it prints. */
  async operate(args: readonly string[]): Promise<string> {
    const psql = ['psql', '-XAtq', '-h', this.folder, '-p', String(this.port), ...args];
    const env = cleanEnvironment({
      OWNER_PASSWORD_FILE: join(this.secrets, 'owner_password'),
      GATEWAY_PASSWORD_FILE: join(this.secrets, 'gateway_password'),
    });
    return (await exec('setpriv', [...AS_POSTGRES, ...psql], { env, cwd: '/' })).stdout.trim();
  }
}

/** Starts a new server with our files, and runs `roles.sql` on it. */
export async function startPostgres(t: Teardown): Promise<PostgresServer> {
  const secrets = await makeSecrets(t);
  const folder = await ownFolder(t);
  const tls = join(folder, 'tls');
  await exec('chmod', ['755', secrets]);
  await exec('mkdir', [tls]);
  for (const [from, to, mode] of [
    ['postgres.crt', 'server.crt', '644'],
    ['postgres.key', 'server.key', '600'],
  ] as const) {
    const owned = ['-o', 'postgres', '-g', 'postgres', '-m', mode];
    await exec('install', [...owned, join(secrets, from), join(tls, to)]);
  }
  const port = await freePort();
  const conf = await substituted('postgres/postgresql.conf', {
    "listen_addresses = '*'": `listen_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = '${folder}'`,
    '/etc/postgresql/tls': tls,
  });
  await writeFile(join(folder, 'postgresql.conf'), conf);
  await writeFile(join(folder, 'pg_hba.conf'), await substituted('postgres/pg_hba.conf', {}));
  await writeFile(join(folder, 'roles.sql'), await substituted('postgres/roles.sql', {}));
  const data = join(folder, 'data');
  const initdb = [join(BIN, 'initdb'), '--no-sync', '-E', 'UTF8', '-A', 'peer', '-D', data];
  await exec('setpriv', [...AS_POSTGRES, ...initdb], { env: cleanEnvironment({}), cwd: '/' });
  const files = ['config_file=postgresql.conf', 'hba_file=pg_hba.conf'].flatMap((setting) => [
    '-c',
    setting.replace('=', `=${folder}/`),
  ]);
  const program = run(t, 'setpriv', [
    ...['--pdeathsig', 'INT', ...AS_POSTGRES, join(BIN, 'postgres'), '-D', data],
    ...files,
  ]);
  const server = new PostgresServer(secrets, folder, port);
  let ended = false;
  void program.exited.then(() => (ended = true));
  await until('PostgreSQL answers', async () => {
    if (ended) throw new Error(program.stderr);
    return server.operate(['-c', 'SELECT 1', 'postgres']).catch(() => undefined);
  });
  await server.operate(['-f', join(folder, 'roles.sql'), 'postgres']);
  return server;
}

/** Starts PgBouncer with our file before the server; resolves with its port. */
export async function startPgBouncer(
  t: Teardown,
  server: PostgresServer,
  timeouts: Readonly<Record<string, string>> = {},
): Promise<number> {
  const folder = await ownFolder(t);
  const port = await freePort();
  const file = await substituted('pgbouncer/pgbouncer.ini', {
    'listen_addr = *': 'listen_addr = 127.0.0.1',
    'listen_port = 6432': `listen_port = ${port}`,
    'host=postgres port=5432': `host=localhost port=${server.port}`,
    '/etc/pgbouncer/tls': server.secrets,
    '/etc/pgbouncer': server.secrets,
    ...timeouts,
  });
  await writeFile(join(folder, 'pgbouncer.ini'), file);
  const program = run(t, 'setpriv', [
    ...['--pdeathsig', 'KILL', ...AS_POSTGRES, '/usr/sbin/pgbouncer'],
    join(folder, 'pgbouncer.ini'),
  ]);
  await program.until(({ stderr }) => stderr.includes('process up'));
  return port;
}

async function ownFolder(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lablink-deploy-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  spawnSync('chown', ['postgres:postgres', folder]);
  return folder;
}
