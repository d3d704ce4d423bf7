import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { acquireLock, type Lock, readLock } from '../../../src/postgres/embedded/lock.js';
import { birthMark } from '../../../src/processes/process-table.js';
import { folder, program } from './support.js';

const fileIn = (dataDir: string): string => join(dataDir, 'gateway.lock');
const textIn = (dataDir: string): Promise<string> => readFile(fileIn(dataDir), 'utf8');

/** The lock of a process that is no more: our own pid, but born at another time. */
const leftBehind = (startedAt: string): string =>
  JSON.stringify({ pid: process.pid, birthMark: 'another boot:1', startedAt });

/** Lets so many try at the same moment; those who got the lock. */
async function race(dataDir: string, contenders: number): Promise<Lock[]> {
  const tries = await Promise.allSettled(
    Array.from({ length: contenders }, () => acquireLock(dataDir)),
  );
  return tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

t.test('the file says who holds the lock, and nobody else gets it', async (t) => {
  const dataDir = join(await folder(t), 'made');
  const lock = await acquireLock(dataDir);
  t.equal((await stat(dataDir)).mode & 0o777, 0o700);
  t.equal((await stat(fileIn(dataDir))).mode & 0o777, 0o600);
  const content = await readLock(dataDir);
  t.match(content, { pid: process.pid, birthMark: await birthMark(process.pid) });
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
  const another = leftBehind('later');
  await writeFile(fileIn(dataDir), another);
  await lock.release();
  t.equal(await textIn(dataDir), another);
});

t.test('a lock whose holder was killed is free, whoever has its pid', async (t) => {
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

t.test('a lock that names no birth is believed while its pid lives', async (t) => {
  const dataDir = await folder(t);
  await writeFile(fileIn(dataDir), JSON.stringify({ pid: process.pid, startedAt: '' }));
  t.match(await readLock(dataDir), { pid: process.pid });
  await t.rejects(acquireLock(dataDir), { code: 'busy' });
});

t.test('a file that is no lock is in nobody’s way', async (t) => {
  for (const text of ['', '{"pid":', '[]', '{"pid":"1"}']) {
    const dataDir = await folder(t);
    await writeFile(fileIn(dataDir), text);
    t.equal(await readLock(dataDir), undefined, text);
    await (await acquireLock(dataDir)).release();
    t.notOk(existsSync(fileIn(dataDir)));
  }
});

t.test('of many who try at once one gets it', async (t) => {
  const dataDir = await folder(t);
  for (let round = 0; round < 20; round++) {
    const locks = await race(dataDir, 8);
    t.equal(locks.length, 1);
    await locks[0]?.release();
    t.same(await readdir(dataDir), []);
  }
});

t.test('of many who find a lock left behind one takes it over', async (t) => {
  const dataDir = await folder(t);
  const mark = await birthMark(process.pid);
  for (let round = 0; round < 50; round++) {
    await writeFile(fileIn(dataDir), leftBehind(`round ${round}`));
    const locks = await race(dataDir, 8);
    const { birthMark } = (await readLock(dataDir)) ?? {};
    await locks[0]?.release();
    const outcome = { holders: locks.length, birthMark, left: await readdir(dataDir) };
    t.same(outcome, { holders: 1, birthMark: mark, left: [] });
  }
});

t.test('processes that find a lock left behind agree on one of them', async (t) => {
  const dataDir = await folder(t);
  await writeFile(fileIn(dataDir), leftBehind('before'));
  const contenders = Array.from({ length: 4 }, () => program(t, 'hold', [dataDir]));
  await Promise.all(contenders.map((contender) => contender.next()));
  for (const { child } of contenders) child.stdin?.write('go\n');
  const said = await Promise.all(contenders.map((contender) => contender.next()));
  t.same(said.sort(), ['busy', 'busy', 'busy', 'held']);
  await Promise.all(contenders.map((contender) => contender.end()));
});

t.test('one who died while taking over is in nobody’s way', async (t) => {
  const dataDir = await folder(t);
  const [first, second] = [leftBehind('first'), leftBehind('second')];
  const digest = createHash('sha256').update(first).digest('hex');
  await writeFile(fileIn(dataDir), first);
  await writeFile(`${fileIn(dataDir)}.after-${digest}`, second);
  const locks = await race(dataDir, 8);
  t.equal(locks.length, 1);
  await locks[0]?.release();
  t.same(await readdir(dataDir), [], 'and leaves nothing behind');
});

t.test('a folder that cannot be used is named', async (t) => {
  const dataDir = join(await folder(t), 'nowhere');
  await symlink('/proc/self/nothing', dataDir);
  await t.rejects(acquireLock(dataDir), { code: 'unwritable', message: new RegExp(dataDir) });
});
