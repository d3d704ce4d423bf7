import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { acquireLock, type Lock, readLock } from '../../../src/postgres/embedded/lock.js';
import { readProcessStart } from '../../../src/processes/process-table.js';
import { folder, program } from './support.js';

const fileIn = (dataDir: string): string => join(dataDir, 'gateway.lock');
const textIn = (dataDir: string): Promise<string> => readFile(fileIn(dataDir), 'utf8');

/** The lock of a process that has ended: this process's pid, but another start. */
const stale = (startedAt: string): string =>
  JSON.stringify({ pid: process.pid, processStart: 'another boot:1', startedAt });

/** Lets `contenders` try at the same moment; returns the locks that were taken. */
async function race(dataDir: string, contenders: number): Promise<Lock[]> {
  const tries = await Promise.allSettled(
    Array.from({ length: contenders }, () => acquireLock(dataDir)),
  );
  return tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

t.test('the file names the holder, and no other process gets the lock', async (t) => {
  const dataDir = join(await folder(t), 'made');
  const lock = await acquireLock(dataDir);
  t.equal((await stat(dataDir)).mode & 0o777, 0o700);
  t.equal((await stat(fileIn(dataDir))).mode & 0o777, 0o600);
  const content = await readLock(dataDir);
  t.match(content, { pid: process.pid, processStart: await readProcessStart(process.pid) });
  t.ok(Math.abs(Date.parse(content?.startedAt ?? '') - Date.now()) < 600_000);
  await t.rejects(acquireLock(dataDir), {
    code: 'busy',
    message: new RegExp(`gateway \\(pid ${process.pid}\\) uses ${dataDir}\\.`),
  });
  await lock.release();
  t.same(await readdir(dataDir), [], 'nothing is left');
  t.equal(await readLock(dataDir), undefined);
});

t.test('the holder adds how to reach it', async (t) => {
  const dataDir = await folder(t);
  const lock = await acquireLock(dataDir);
  const database = { host: '/socket', port: 5432, user: 'lablink', database: 'lablink_db' };
  await lock.update({ database });
  await lock.update({ url: 'http://127.0.0.1:8080' });
  t.match(await readLock(dataDir), { pid: process.pid, url: 'http://127.0.0.1:8080', database });
  t.equal((await stat(fileIn(dataDir))).mode & 0o777, 0o600);
  await t.rejects(acquireLock(dataDir), { code: 'busy' });
  await lock.release();
  t.same(await readdir(dataDir), []);
});

t.test("a release leaves another's lock alone", async (t) => {
  const dataDir = await folder(t);
  const lock = await acquireLock(dataDir);
  const another = stale('later');
  await writeFile(fileIn(dataDir), another);
  await lock.release();
  t.equal(await textIn(dataDir), another);
});

t.test('a lock whose holder was killed is free, even if another process has its pid', async (t) => {
  const dataDir = await folder(t);
  const holder = program(t, 'hold', [dataDir]);
  await holder.next();
  holder.child.stdin?.write('go\n');
  t.equal(await holder.next(), 'held');
  t.match(await readLock(dataDir), { pid: holder.child.pid });
  await t.rejects(acquireLock(dataDir), { code: 'busy', message: `pid ${holder.child.pid}` });
  const held = await textIn(dataDir);
  holder.child.kill('SIGKILL');
  await holder.exited;

  t.equal(await readLock(dataDir), undefined);
  await writeFile(fileIn(dataDir), held.replace(`${holder.child.pid}`, `${process.pid}`));
  t.equal(await readLock(dataDir), undefined, 'a new process with the old pid holds nothing');
  const lock = await acquireLock(dataDir);
  await lock.release();
});

t.test('a lock without a process start is valid while its pid is alive', async (t) => {
  const dataDir = await folder(t);
  await writeFile(fileIn(dataDir), JSON.stringify({ pid: process.pid, startedAt: '' }));
  t.match(await readLock(dataDir), { pid: process.pid });
  await t.rejects(acquireLock(dataDir), { code: 'busy' });
});

t.test('a file that is not a lock is replaced', async (t) => {
  for (const text of ['', '{"pid":', '[]', '{"pid":"1"}']) {
    const dataDir = await folder(t);
    await writeFile(fileIn(dataDir), text);
    t.equal(await readLock(dataDir), undefined, text);
    await (await acquireLock(dataDir)).release();
    t.notOk(existsSync(fileIn(dataDir)));
  }
});

t.test('one of many simultaneous contenders gets the lock', async (t) => {
  const dataDir = await folder(t);
  for (let round = 0; round < 20; round++) {
    const locks = await race(dataDir, 8);
    t.equal(locks.length, 1);
    await locks[0]?.release();
    t.same(await readdir(dataDir), []);
  }
});

t.test('one of many contenders takes over a stale lock', async (t) => {
  const dataDir = await folder(t);
  const start = await readProcessStart(process.pid);
  for (let round = 0; round < 50; round++) {
    await writeFile(fileIn(dataDir), stale(`round ${round}`));
    const locks = await race(dataDir, 8);
    const { processStart } = (await readLock(dataDir)) ?? {};
    await locks[0]?.release();
    const outcome = { holders: locks.length, processStart, left: await readdir(dataDir) };
    t.same(outcome, { holders: 1, processStart: start, left: [] });
  }
});

t.test('exactly one process takes over a stale lock', async (t) => {
  const dataDir = await folder(t);
  await writeFile(fileIn(dataDir), stale('before'));
  const contenders = Array.from({ length: 4 }, () => program(t, 'hold', [dataDir]));
  await Promise.all(contenders.map((contender) => contender.next()));
  for (const { child } of contenders) child.stdin?.write('go\n');
  const said = await Promise.all(contenders.map((contender) => contender.next()));
  t.same(said.sort(), ['busy', 'busy', 'busy', 'held']);
  await Promise.all(contenders.map((contender) => contender.end()));
});

t.test('a contender that died while taking over does not block the next', async (t) => {
  const dataDir = await folder(t);
  const [first, second] = [stale('first'), stale('second')];
  const digest = createHash('sha256').update(first).digest('hex');
  await writeFile(fileIn(dataDir), first);
  await writeFile(`${fileIn(dataDir)}.after-${digest}`, second);
  const locks = await race(dataDir, 8);
  t.equal(locks.length, 1);
  await locks[0]?.release();
  t.same(await readdir(dataDir), [], 'nothing is left');
});

t.test('an unusable folder is named in the error', async (t) => {
  const dataDir = join(await folder(t), 'nowhere');
  await symlink('/proc/self/nothing', dataDir);
  await t.rejects(acquireLock(dataDir), { code: 'unwritable', message: new RegExp(dataDir) });
});
