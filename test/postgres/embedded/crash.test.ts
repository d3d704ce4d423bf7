import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { listServerAccounts } from '../../../src/postgres/embedded/account.js';
import { openLog } from '../../../src/postgres/embedded/log.js';
import { startServerProcess } from '../../../src/postgres/embedded/supervisor.js';
import { installedBinDirs, type Teardown } from '../../helpers/database.js';
import { dataFolder, isRoot, query, serverId, serverPid, start, until } from './support.js';
import type { EmbeddedServer } from '../../../src/postgres/embedded/server.js';

const pidFile = (dataDir: string): string => join(dataDir, 'postgres', 'postmaster.pid');

/** Starts a server, commits one row, and kills the server. */
async function startAndKill(
  t: Teardown,
  dataDir: string,
  binDir?: string,
): Promise<EmbeddedServer> {
  const server = await start(t, { dataDir, binDir });
  await query(server.connection, 'CREATE TABLE kept AS SELECT 1 AS one');
  process.kill(await serverPid(dataDir), 'SIGKILL');
  await server.exited;
  return server;
}

for (const { majorVersion, binDir } of installedBinDirs()) {
  t.test(`PostgreSQL ${majorVersion} recovers after it was killed`, async (t) => {
    const dataDir = await dataFolder(t, binDir);
    const server = await startAndKill(t, dataDir, binDir);
    t.match(await server.exited, { expected: false, reason: /^SIGKILL: / });
    await server.stop();
    t.match(await server.exited, { expected: false }, 'stopping it now changes nothing');
    t.ok(await serverPid(dataDir), 'its pid file was left behind');

    const { connection } = await start(t, { dataDir, binDir });
    t.same(await query(connection, 'SELECT one FROM kept'), [{ one: 1 }]);
  });

  t.test(
    `PostgreSQL ${majorVersion} starts although an unrelated process has the old pid`,
    async (t) => {
      const dataDir = await dataFolder(t, binDir);
      await startAndKill(t, dataDir, binDir);
      const [, ...rest] = (await readFile(pidFile(dataDir), 'utf8')).split('\n');
      const account = isRoot && serverId !== undefined ? { uid: serverId, gid: serverId } : {};
      const unrelated = spawn('sleep', ['600'], account);
      t.teardown(() => unrelated.kill());
      await once(unrelated, 'spawn');
      await writeFile(pidFile(dataDir), [unrelated.pid, ...rest].join('\n'));

      const { connection } = await start(t, { dataDir, binDir });
      t.same(await query(connection, 'SELECT one FROM kept'), [{ one: 1 }]);
      t.equal(
        unrelated.exitCode ?? unrelated.signalCode,
        null,
        'the unrelated process was left alone',
      );
    },
  );
}

t.test('an empty pid file does not prevent a start', async (t) => {
  const dataDir = await dataFolder(t);
  await writeFile(pidFile(dataDir), '');
  const { connection } = await start(t, { dataDir });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
});

t.test('one of two simultaneous starts gets the folder', async (t) => {
  const dataDir = await dataFolder(t);
  const starts = await Promise.allSettled([start(t, { dataDir }), start(t, { dataDir })]);
  const [server, ...more] = starts.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
  t.same(more, []);
  t.match(
    starts.find((it) => it.status === 'rejected'),
    { reason: { code: 'busy' } },
  );
  if (server === undefined) throw new TypeError('both starts failed');
  t.same(await query(server.connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  await server.stop();
  t.match(await server.exited, { expected: true }, 'the start owns the server that answers');
});

t.test('the answer of another server does not count', async (t) => {
  const dataDir = await dataFolder(t);
  const { connection } = await start(t, { dataDir });
  const cluster = join(dataDir, 'postgres');
  const log = await openLog(join(dataDir, 'another.log'));
  t.teardown(() => log.close());
  const another = startServerProcess({
    binDir: installedBinDirs()[0]?.binDir ?? '',
    folder: cluster,
    account: (await listServerAccounts(cluster))[0],
    log,
    settings: { unix_socket_directories: '.' },
    probeReadiness: () => query(connection, 'SELECT').then(() => undefined),
  });
  await t.rejects(another, { code: 'busy', message: /"postmaster.pid" already exists/ });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
});

t.test('a server that ends by itself is reported', async (t) => {
  const dataDir = await dataFolder(t);
  const server = await start(t, { dataDir });
  process.kill(await serverPid(dataDir), 'SIGTERM');
  t.match(await server.exited, { expected: false, reason: /^exit code 0: .*is shut down$/ });
});

t.test('stopping twice is stopping once', async (t) => {
  const server = await start(t, { dataDir: await dataFolder(t) });
  await Promise.all([server.stop(), server.stop()]);
  await server.stop();
  t.match(await server.exited, { expected: true });
});

t.test('running queries do not delay the stop', async (t) => {
  const server = await start(t, { dataDir: await dataFolder(t) });
  const busy = query(server.connection, 'SELECT pg_sleep(600)').catch((error: unknown) => error);
  await until(async () => {
    const sql = "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
    return (await query(server.connection, sql)).length === 1;
  });
  await server.stop();
  t.match(await server.exited, { expected: true });
  t.match(await busy, { message: /terminating connection|terminated unexpectedly/ });
});

t.test('a start waits for orphaned backends of a killed server', async (t) => {
  const dataDir = await dataFolder(t);
  const server = await start(t, { dataDir });
  const client = new pg.Client(server.connection);
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const orphan = rows[0]?.pid ?? 0;
  t.teardown(() => end(orphan));
  // A query that computes does not notice that its server is gone.
  const computing = client.query('SELECT count(*) FROM generate_series(1, 1e12::bigint)');
  computing.catch(() => undefined);
  await until(async () => {
    const sql = `SELECT FROM pg_stat_activity WHERE pid = ${orphan} AND state = 'active'`;
    return (await query(server.connection, sql)).length === 1;
  });
  process.kill(await serverPid(dataDir), 'SIGKILL');
  await server.exited;

  const starting = start(t, { dataDir });
  const logged = async (): Promise<string> => readFile(join(dataDir, 'postgres.log'), 'utf8');
  await until(async () => (await logged()).includes('is still in use'));
  end(orphan);
  t.same(await query((await starting).connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  await client.end();
});

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has ended already.
  }
}
