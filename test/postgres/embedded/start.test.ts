import { existsSync } from 'node:fs';
import { chmod, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { installedBinDirs } from '../../helpers/database.js';
import { dataFolder, folder, query, QUICK, serverId, serverPid, start } from './support.js';
import { startEmbedded } from '../../../src/postgres/embedded/server.js';

const servers = installedBinDirs();

for (const { majorVersion, binDir } of servers) {
  t.test(`PostgreSQL ${majorVersion} starts again on its folder with the same data`, async (t) => {
    const dataDir = await folder(t);
    const first = await start(t, { dataDir, binDir });
    t.equal(first.majorVersion, majorVersion);
    await query(first.connection, "CREATE TABLE kept AS SELECT 'été 🧪' AS note");
    await first.stop();
    t.match(await first.exited, { expected: true, reason: /^exit code 0: / });
    t.notOk(existsSync(join(dataDir, 'postgres', 'postmaster.pid')));

    const second = await start(t, { dataDir, binDir });
    t.same(await query(second.connection, 'SELECT note FROM kept'), [{ note: 'été 🧪' }]);
  });

  t.test(`PostgreSQL ${majorVersion} is set up as documented`, async (t) => {
    const dataDir = await folder(t);
    const { connection } = await start(t, { dataDir, binDir });
    t.match(connection, { user: 'lablink', database: 'lablink_db' });
    const [settings] = await query(
      connection,
      `SELECT current_setting('server_encoding') AS encoding, current_setting('TimeZone') AS zone,
              current_setting('data_checksums') AS checksums, current_setting('max_connections') AS max,
              current_setting('listen_addresses') AS addresses`,
    );
    t.same(settings, { encoding: 'UTF8', zone: 'UTC', checksums: 'on', max: '100', addresses: '' });
    const [rights] = await query(
      connection,
      `SELECT rolsuper, rolcreaterole, rolcreatedb, pg_get_userbyid(datdba) AS owner, datcollate,
              has_database_privilege('public', 'lablink_db', 'CONNECT') AS anybody
         FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()`,
    );
    t.same(rights, {
      ...{ rolsuper: false, rolcreaterole: false, rolcreatedb: true },
      ...{ owner: 'lablink', datcollate: 'C', anybody: false },
    });
    const cluster = await stat(join(dataDir, 'postgres'));
    t.same([cluster.mode & 0o777, cluster.uid], [0o700, serverId]);
  });
}

t.test('a folder in use is refused, and its server keeps running', async (t) => {
  const dataDir = await dataFolder(t);
  const { connection } = await start(t, { dataDir });
  const pid = await serverPid(dataDir);
  await t.rejects(startEmbedded({ dataDir }), {
    code: 'busy',
    message: new RegExp(`pid ${pid}.*${dataDir}`),
  });
  t.equal(await serverPid(dataDir), pid);
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
});

t.test('settings of the caller override the usual ones', async (t) => {
  const dataDir = await dataFolder(t);
  const { connection } = await start(t, { dataDir, settings: { max_connections: '17' } });
  t.same(await query(connection, 'SHOW max_connections'), [{ max_connections: '17' }]);
});

t.test('a folder whose path is too long for a socket works', async (t) => {
  const dataDir = join(await folder(t), 'long'.repeat(30), 'data');
  const server = await start(t, { dataDir });
  const { host } = server.connection;
  t.ok(host.length < 60);
  t.same([(await stat(host)).mode & 0o777, (await stat(host)).uid], [0o700, serverId]);
  t.same(await query(server.connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  await server.stop();
  t.notOk(existsSync(host));
});

t.test('a machine without a server gets the advice what to install', async (t) => {
  const dataDir = await folder(t);
  const binDir = '/nowhere/nothing';
  await t.rejects(startEmbedded({ dataDir, binDir }), {
    code: 'no_binaries',
    message: /nothing: it cannot be started \(ENOENT\).*apt install postgresql/,
  });
});

t.test(
  'a cluster of another version is refused, and stays unchanged',
  { skip: servers.length > 1 ? false : 'needs two versions of PostgreSQL' },
  async (t) => {
    const [one, other] = servers;
    const dataDir = await dataFolder(t, one?.binDir);
    await t.rejects(startEmbedded({ dataDir, binDir: other?.binDir }), {
      code: 'version_mismatch',
      message: new RegExp(`by PostgreSQL ${one?.majorVersion}\\b.*only ${other?.majorVersion}\\.`),
    });
    t.equal(
      (await start(t, { dataDir })).majorVersion,
      one?.majorVersion,
      'a server of its version is found',
    );
  },
);

t.test('a data folder that is a file is refused', async (t) => {
  const dataDir = join(await folder(t), 'file');
  await writeFile(dataDir, '');
  await t.rejects(startEmbedded({ dataDir }), { code: 'unwritable', message: /DATA_DIR/ });
});

t.test('files in the place of the cluster are not touched', async (t) => {
  const dataDir = await folder(t);
  await mkdir(join(dataDir, 'postgres'));
  await writeFile(join(dataDir, 'postgres', 'thesis.txt'), 'three years');
  await t.rejects(startEmbedded({ dataDir, settings: QUICK }), { code: 'init_failed' });
  t.ok(existsSync(join(dataDir, 'postgres', 'thesis.txt')));
});

t.test('an incomplete cluster is created again', async (t) => {
  const dataDir = await folder(t);
  await mkdir(join(dataDir, 'postgres.new', 'base'), { recursive: true });
  await writeFile(join(dataDir, 'postgres.new', 'PG_VERSION'), '15\n');
  const { connection } = await start(t, { dataDir });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  t.notOk(existsSync(join(dataDir, 'postgres.new')));
});

t.test('the output of a failed initdb is in the error', async (t) => {
  const binDir = await folder(t);
  await chmod(binDir, 0o755);
  await symlink(join(servers[0]?.binDir ?? '', 'postgres'), join(binDir, 'postgres'));
  await writeFile(join(binDir, 'initdb'), '#!/bin/sh\necho no room >&2; exit 1\n', { mode: 0o755 });
  const dataDir = await folder(t);
  await t.rejects(startEmbedded({ dataDir, binDir }), {
    code: 'init_failed',
    message: new RegExp(`${dataDir}/postgres: no room`),
  });
});

t.test('the error of a server that does not start quotes its log', async (t) => {
  const dataDir = await dataFolder(t);
  await t.rejects(startEmbedded({ dataDir, settings: { ...QUICK, max_connections: 'many' } }), {
    code: 'start_failed',
    message: /postgres\.log:\n.*invalid value for parameter "max_connections": "many"/,
  });
});

t.test('a port that is taken is named in the error', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  const tcpPort = typeof address === 'object' ? (address?.port ?? 0) : 0;
  await t.rejects(startEmbedded({ dataDir: await dataFolder(t), tcpPort, settings: QUICK }), {
    code: 'port_taken',
    message: new RegExp(`Port ${tcpPort} `),
  });
});
