import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isRunning } from '../../../src/processes/process-table.js';
import { installedBinDirs } from '../../helpers/database.js';
import {
  bare,
  dataFolder,
  folder,
  program,
  query,
  serverId,
  serverPid,
  start,
  unlessRoot,
} from './support.js';

/** Debian's `nobody`, as an ordinary user. */
const NOBODY = 65534;
/** No account of this machine has this id. */
const NAMELESS = 12345;

const owner = async (path: string): Promise<number> => (await stat(path)).uid;

/** Connects to the socket as the user `uid`; the code of the failure, or `open`. */
function attempt(host: string, uid: number): string {
  const script = `require('net').connect(process.argv[1])
    .on('connect', () => { console.log('open'); process.exit(); })
    .on('error', (error) => console.log(error.code));`;
  const options = { uid, gid: uid, cwd: '/', encoding: 'utf8' } as const;
  const socket = join(host, '.s.PGSQL.5432');
  return execFileSync(...bare([process.execPath, '-e', script, socket]), options).trim();
}

/** Runs the server as the user, who can connect, and expects it to end with its gateway. */
async function runAs(t: Test, uid: number, dataDir: string, binDir: string): Promise<void> {
  const gateway = program(t, 'serve', [dataDir, binDir], uid);
  const host = join(dataDir, 'postgres');
  t.match(await gateway.next(), { host, user: 'lablink' });
  t.equal(await owner(host), uid);
  t.equal(attempt(host, uid), 'open', 'the user who started the server can connect');
  const pid = await serverPid(dataDir);
  await gateway.end();
  t.notOk(isRunning(pid), 'it ended with its gateway');
}

for (const { majorVersion, binDir } of installedBinDirs()) {
  t.test(
    `PostgreSQL ${majorVersion} is created and runs as an ordinary user`,
    { skip: unlessRoot },
    async (t) => {
      const dataDir = await folder(t);
      await chown(dataDir, NOBODY, NOBODY);
      await runAs(t, NOBODY, dataDir, binDir);
    },
  );

  t.test(
    `PostgreSQL ${majorVersion} runs as a user without a name, but is not created`,
    { skip: unlessRoot },
    async (t) => {
      const dataDir = await folder(t);
      await chown(dataDir, NAMELESS, NAMELESS);
      t.match(await program(t, 'serve', [dataDir, binDir], NAMELESS).next(), {
        code: 'init_failed',
        message: /user id 12345 has none: add one \(useradd --uid 12345 .*DATABASE_URL/,
      });
      const existing = await dataFolder(t, binDir);
      execFileSync('chown', ['-R', `${NAMELESS}:${NAMELESS}`, existing]);
      await runAs(t, NAMELESS, existing, binDir);
    },
  );

  t.test(
    `PostgreSQL ${majorVersion} runs for root in a folder that its account cannot reach`,
    { skip: unlessRoot },
    async (t) => {
      const dataDir = join(await folder(t), 'home', 'project');
      await mkdir(dataDir, { recursive: true });
      await chmod(join(dataDir, '..'), 0o700);
      const { connection } = await start(t, { dataDir, binDir });
      t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
      t.equal(await owner(join(dataDir, 'postgres')), serverId);
    },
  );
}

t.test('a umask of 077 does not hinder the server', { skip: unlessRoot }, async (t) => {
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  const { connection } = await start(t, { dataDir: join(await folder(t), 'made') });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
});

t.test('no other user can connect through the socket', { skip: unlessRoot }, async (t) => {
  const dataDir = await dataFolder(t);
  await chmod(dataDir, 0o755); // So that the test reaches the socket's own folder.
  const { connection } = await start(t, { dataDir });
  for (const uid of [NOBODY, NAMELESS]) {
    t.equal(attempt(connection.host, uid), 'EACCES', `user ${uid}`);
  }
});

t.test(
  'no other user can connect to a socket in the temporary folder',
  { skip: unlessRoot },
  async (t) => {
    const dataDir = join(await folder(t), 'long'.repeat(30));
    const { connection } = await start(t, { dataDir });
    t.notOk(connection.host.startsWith(dataDir));
    t.equal(attempt(connection.host, NOBODY), 'EACCES');
  },
);

t.test('root leaves a cluster to the user who created it', { skip: unlessRoot }, async (t) => {
  const dataDir = await dataFolder(t);
  const cluster = join(dataDir, 'postgres');
  execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, cluster]);
  const { connection } = await start(t, { dataDir });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  t.equal(await owner(join(cluster, 'postmaster.pid')), NOBODY);
});

t.test(
  'a cluster that root copied is given to the server account',
  { skip: unlessRoot },
  async (t) => {
    const dataDir = await dataFolder(t);
    const cluster = join(dataDir, 'postgres');
    execFileSync('chown', ['-R', '0:0', cluster]);
    const { connection } = await start(t, { dataDir });
    t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
    t.equal(await owner(join(cluster, 'base', '1', 'PG_VERSION')), serverId);
  },
);

t.test("another user's folder is refused", { skip: unlessRoot }, async (t) => {
  const dataDir = await dataFolder(t);
  t.match(await program(t, 'serve', [dataDir], NOBODY).next(), { code: 'unwritable' });
  execFileSync('chown', [`${NOBODY}`, dataDir]);
  t.match(
    await program(t, 'serve', [dataDir], NOBODY).next(),
    { code: 'unwritable', message: /EACCES/ },
    'also if the user owns the folder but not the cluster',
  );
});
