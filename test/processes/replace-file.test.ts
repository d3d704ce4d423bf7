// Replacing a file: the content is the new one, private, and a failure keeps the old one.

import {
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { replaceFile } from '../../src/processes/replace-file.js';

t.test('a file is created, and replaced, for its owner alone', async (t) => {
  const path = join(t.testdir(), 'state');
  await replaceFile(path, 'first');
  t.equal(await readFile(path, 'utf8'), 'first');
  await chmod(path, 0o644);
  await replaceFile(path, 'second');
  t.equal(await readFile(path, 'utf8'), 'second');
  t.equal((await stat(path)).mode & 0o777, 0o600);
  t.same(await readdir(join(path, '..')), ['state'], 'no draft is left');
});

t.test('a reader of the old file keeps the whole of it', async (t) => {
  const path = join(t.testdir({ state: 'old' }), 'state');
  const { ino } = await stat(path);
  await replaceFile(path, 'new');
  t.not((await stat(path)).ino, ino, 'the new content is in a file of its own');
});

t.test('the old content stays when the new one cannot be written', async (t) => {
  const path = join(t.testdir({ state: 'old' }), 'state');
  await mkdir(`${path}.new`);
  await t.rejects(replaceFile(path, 'new'), { code: 'EISDIR' });
  t.equal(await readFile(path, 'utf8'), 'old');
});

t.test('a link in the place of the draft changes no other file', async (t) => {
  for (const plant of [symlink, link]) {
    const folder = t.testdir({ state: 'old', other: 'kept' });
    const path = join(folder, 'state');
    await plant(join(folder, 'other'), `${path}.new`);
    await replaceFile(path, 'new');
    t.equal(await readFile(join(folder, 'other'), 'utf8'), 'kept');
    t.equal(await readFile(path, 'utf8'), 'new');
    t.ok((await lstat(path)).isFile());
  }
});

t.test('a draft of a killed process, readable by all, becomes a private file', async (t) => {
  const path = join(t.testdir(), 'state');
  await writeFile(`${path}.new`, 'partial', { mode: 0o644 });
  await replaceFile(path, 'new');
  t.equal((await stat(path)).mode & 0o777, 0o600);
});
