import { spawnSync } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mock } from 'node:test';
import t from 'tap';
import { openLog } from '../../../src/postgres/embedded/log.js';
import { folder, until } from './support.js';

const FIVE_MEGABYTES = 'an old line\n'.repeat(450_000);

/** Writes like the server: from a process that inherits the descriptor. */
const write = (fd: number, text: string): void => {
  spawnSync('/bin/sh', ['-c', 'printf %s "$1"', 'sh', text], { stdio: ['ignore', fd, 'inherit'] });
};

t.test('the tail holds only lines of this run', async (t) => {
  const path = join(await folder(t), 'postgres.log');
  await writeFile(path, 'an earlier run\n');
  const log = await openLog(path);
  t.teardown(() => log.close());
  t.same(await log.tail(2), []);
  write(log.fd, 'one\n\ntwo\nthree\n');
  t.same(await log.tail(2), ['two', 'three']);
  t.match(await readFile(path, 'utf8'), /^an earlier run\none\n/, 'nothing was overwritten');
});

t.test('a long log of earlier runs is moved away', async (t) => {
  const path = join(await folder(t), 'postgres.log');
  await writeFile(path, FIVE_MEGABYTES);
  const log = await openLog(path);
  t.teardown(() => log.close());
  t.equal((await stat(path)).size, 0);
  t.equal((await stat(`${path}.1`)).size, FIVE_MEGABYTES.length);
});

t.test('a log that grows long is moved away while the server writes', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const path = join(await folder(t), 'postgres.log');
  const log = await openLog(path);
  t.teardown(() => log.close());
  t.equal((await stat(path)).mode & 0o777, 0o600);
  for (let part = 0; part < 50; part++) write(log.fd, FIVE_MEGABYTES.slice(0, 100_000));
  write(log.fd, 'the last of the old\n');
  mock.timers.tick(60_000);
  await until(async () => (await stat(path)).size === 0);
  write(log.fd, 'the first of the new\n');
  t.equal(await readFile(path, 'utf8'), 'the first of the new\n');
  t.match(await readFile(`${path}.1`, 'utf8'), /the last of the old\n$/);
  t.same(await log.tail(5), ['the first of the new']);
});
