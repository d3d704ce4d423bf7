import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
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

/** Debian's `nobody`: an ordinary user for this purpose. */
const NOBODY = 65534;
/** No user of this machine has it. */
const NAMELESS = 12345;

const owner = async (path: string): Promise<number> => (await stat(path)).uid;

/** What the operating system's user `uid` meets at the socket: the code of a failure, or `open`. */
function attempt(host: string, uid: number): string {
  const script = `require('net').connect(process.argv[1])
    .on('connect', () => { console.log('open'); process.exit(); })
    .on('error', (error) => console.log(error.code));`;
  const options = { uid, gid: uid, cwd: '/', encoding: 'utf8' } as const;
  const socket = join(host, '.s.PGSQL.5432');
  return execFileSync(...bare([process.execPath, '-e', script, socket]), options).trim();
}

for (const { majorVersion, binDir } of installedBinDirs()) {
  for (const uid of [NOBODY, NAMELESS]) {
    const who = uid === NOBODY ? 'an ordinary user' : 'a user who has no name';
    t.test(
      `PostgreSQL ${majorVersion} is made and runs as ${who}`,
      { skip: unlessRoot },
      async (t) => {
        const dataDir = await folder(t);
        await chown(dataDir, uid, uid);
        const gateway = program(t, 'serve', [dataDir, binDir], uid);
        const host = join(dataDir, 'postgres');
        t.match(await gateway.next(), { host, user: 'lablink' });
        t.equal(await owner(host), uid);
        t.equal(attempt(host, uid), 'open', 'who started it is let in');
        const pid = await serverPid(dataDir);
        await gateway.end();
        t.notOk(isRunning(pid), 'it ended with its gateway');
      },
    );
  }

  t.test(
    `PostgreSQL ${majorVersion} runs for root on a folder that its account cannot walk to`,
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

t.test('a umask that hides everything hinders nobody', { skip: unlessRoot }, async (t) => {
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  const { connection } = await start(t, { dataDir: join(await folder(t), 'made') });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
});

t.test('no other user is let in through the socket', { skip: unlessRoot }, async (t) => {
  const dataDir = await dataFolder(t);
  await chmod(dataDir, 0o755); // So that what is tested is the socket's own folder.
  const { connection } = await start(t, { dataDir });
  for (const uid of [NOBODY, NAMELESS]) {
    t.equal(attempt(connection.host, uid), 'EACCES', `user ${uid}`);
  }
});

t.test('nor where the socket is in the temporary folder', { skip: unlessRoot }, async (t) => {
  const dataDir = join(await folder(t), 'long'.repeat(30));
  const { connection } = await start(t, { dataDir });
  t.notOk(connection.host.startsWith(dataDir));
  t.equal(attempt(connection.host, NOBODY), 'EACCES');
});

t.test('for root, a cluster stays with the user who made it', { skip: unlessRoot }, async (t) => {
  const dataDir = await dataFolder(t);
  const cluster = join(dataDir, 'postgres');
  execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, cluster]);
  const { connection } = await start(t, { dataDir });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  t.equal(await owner(join(cluster, 'postmaster.pid')), NOBODY);
});

t.test('a cluster that was copied by root is taken over', { skip: unlessRoot }, async (t) => {
  const dataDir = await dataFolder(t);
  const cluster = join(dataDir, 'postgres');
  execFileSync('chown', ['-R', '0:0', cluster]);
  const { connection } = await start(t, { dataDir });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  t.equal(await owner(join(cluster, 'base', '1', 'PG_VERSION')), serverId);
});

t.test("another user's folder is refused", { skip: unlessRoot }, async (t) => {
  const dataDir = await dataFolder(t);
  t.match(await program(t, 'serve', [dataDir], NOBODY).next(), { code: 'unwritable' });
  execFileSync('chown', [`${NOBODY}`, dataDir]);
  t.match(
    await program(t, 'serve', [dataDir], NOBODY).next(),
    { code: 'unwritable', message: /EACCES/ },
    'though only the cluster in it is not his',
  );
});
