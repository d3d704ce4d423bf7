// Addresses with several hosts: commands, PostgreSQL's own programs and a gateway all use the
// primary, wherever it stands in the list, and follow it when another server becomes it.

import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import t from 'tap';
import { chooseServer, NoServerError } from '../../src/postgres/choose-server.js';
import { startEmbedded } from '../../src/postgres/embedded/server.js';
import { installedBinDirs, startServer } from '../helpers/database.js';
import { runDb } from '../helpers/db-command.js';
import { freePort } from '../helpers/free-port.js';
import { startGateway } from '../helpers/gateway.js';
import { readTable } from '../helpers/model.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { startProxy } from './proxy.js';
import { kill } from './server-faults.js';
import { startStandby } from './standby.js';

const tools = installedBinDirs().find(({ binDir }) =>
  ['pg_basebackup', 'pg_dump', 'psql'].every((name) => existsSync(join(binDir, name))),
);
const skip = tools === undefined && 'there is no pg_basebackup';
const IS_STANDBY = 'SELECT pg_is_in_recovery() AS standby';

t.test('a primary and its standby', { skip }, async (t) => {
  const { binDir } = tools ?? { binDir: '' };
  const server = await startServer(t, { binDir });
  const database = await server.createDatabase();
  const standby = await startStandby(t, database, binDir);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
  await until('the standby has it', async () => (await readTable(standby)).has('a'));
  const name = String(database.config.database);
  const list = `host=${standby.config.host},${database.config.host} port=5432 user=lablink`;
  const DATABASE_URL = `${list} dbname=${name}`;

  await t.test('a command works on the server that is wanted', async (t) => {
    const ask = async (more: Readonly<Record<string, string>>): Promise<string> =>
      (await runDb(['sql', IS_STANDBY], { DATABASE_URL, ...more })).stdout;
    t.match(await ask({}), '"standby":false');
    t.match(await ask({ PGTARGETSESSIONATTRS: 'primary' }), '"standby":false');
    t.match(await ask({ PGTARGETSESSIONATTRS: 'any' }), '"standby":true', 'the first');
    for (const wanted of ['standby', 'read-only', 'prefer-standby'])
      t.match(await ask({ PGTARGETSESSIONATTRS: wanted }), '"standby":true', wanted);
    const [host, port] = [`/no/socket,${database.config.host}`, '1,5432'];
    const PGHOSTS = { PGHOST: host, PGPORT: port, PGDATABASE: name };
    t.match((await runDb(['sql', IS_STANDBY], PGHOSTS)).stdout, '"standby":false');
    const service = t.testdir({ file: `[lab]\n${DATABASE_URL.replaceAll(' ', '\n')}\n` });
    const PGSERVICE = { PGSERVICE: 'lab', PGSERVICEFILE: join(service, 'file') };
    t.match((await runDb(['sql', IS_STANDBY], PGSERVICE)).stdout, '"standby":false');
  });

  await t.test('if none fits, each host is named with its reason', async (t) => {
    const only = { DATABASE_URL: `host=/no/socket,${standby.config.host} dbname=${name}` };
    const ended = await runDb(['status'], only);
    t.equal(ended.code, 3);
    t.match(ended.stderr, '/no/socket:5432 (connect ENOENT');
    t.match(ended.stderr, ':5432 (a standby)');
    const hosts = [{ host: String(database.config.host), port: 5432 }];
    const unknown = { ...database.config, user: 'nobody', hosts };
    await t.rejects(chooseServer(unknown), { name: 'NoServerError', code: '28000' });
    t.ok(new NoServerError('', '08000') instanceof Error);
  });

  await t.test('pg_dump and psql use the server of their command', async (t) => {
    const folder = t.testdir();
    const args = ['backup', '--verify', '--dir', folder];
    const ended = await runDb(args, { DATABASE_URL });
    t.equal(ended.code, 0, ended.stderr);
    const [file = ''] = await readdir(folder);
    t.match(await readFile(join(folder, file), 'utf8'), 'COPY public.vms');
  });

  await t.test('a gateway follows the primary', async (t) => {
    // The first host never answers: nothing may wait for it for long.
    const silent = await startProxy(t, database.config);
    await silent.refuse();
    const hole = silent.through(database.config);
    const hosts = [hole, standby.config, database.config].map(({ host = '', port = 0 }) => ({
      ...{ host, port },
    }));
    const config = { ...database.config, ...hosts[0], hosts, targetSession: 'read-write' };
    const gateway = await startGateway(t, database, {
      ...{ database: config, listenDatabase: config },
      timing: { beatDeadlineMs: 1_000 },
    });
    await database.query(`UPDATE vms SET status = 'in-use' WHERE hostname = 'a'`);
    await until('the standby has it all', async () =>
      isDeepStrictEqual(await readTable(standby), await readTable(database)),
    );
    await kill(database);
    t.ok(await gateway.notReady());
    await standby.promote();
    await gateway.ready();
    await standby.query(`UPDATE vms SET email = 'after@example.org' WHERE hostname = 'a'`);
    await until('the change arrives', async () =>
      (await (await gateway.fetch('/v1/vms/a', 'admin')).text()).includes('after@example.org'),
    );
  });
});

t.test('the password comes from the file of PGPASSFILE', { skip }, async (t) => {
  const dataDir = await scratchFolder();
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  const port = await freePort();
  const server = await startEmbedded({ dataDir, tcpPort: port, binDir: tools?.binDir });
  t.teardown(() => server.stop());
  const { password } = server.tcp ?? {};
  const folder = t.testdir({});
  const file = join(folder, 'pgpass');
  await writeFile(file, `# comment\nelsewhere:*:*:*:no\n127.0.0.1:${port}:*:lablink:${password}\n`);
  await chmod(file, 0o600);
  const env = { PGHOST: '127.0.0.1', PGPORT: String(port), PGPASSFILE: file };
  t.match((await runDb(['sql', 'SELECT 1 AS one'], env)).stdout, '"one":1');
  t.equal((await runDb(['migrate'], env)).code, 0);
  const backups = join(folder, 'backups');
  const ended = await runDb(['backup', '--dir', backups], env);
  t.equal(ended.code, 0, `pg_dump reads the file too: ${ended.stderr}`);
  const wrong = await runDb(['sql', 'SELECT'], { ...env, PGPASSWORD: 'wrong' });
  t.equal(wrong.code, 2, 'PGPASSWORD goes first');
  await t.rejects(new pg.Client({ ...server.tcp, password: 'wrong' }).connect());
});
