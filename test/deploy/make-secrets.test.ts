// The script that makes the secrets: what it leaves can be read by its owner alone, whatever stood
// there before.

import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { temporaryFolder } from '../helpers/process.js';

const makeSecretsIn = (folder: string) =>
  spawnSync('sh', ['deploy/make-secrets.sh', folder], { encoding: 'utf8' });

const readMode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

t.test('an open folder and its files become private, and files keep their content', async (t) => {
  const folder = join(await temporaryFolder(t), 'secrets');
  await mkdir(folder);
  await chmod(folder, 0o755);
  await writeFile(join(folder, 'jwt_secret'), 'kept', { mode: 0o666 });
  t.match(makeSecretsIn(folder), { status: 0 });
  t.equal(await readMode(folder), 0o700);
  t.equal(await readMode(join(folder, 'ca.key')), 0o600);
  t.equal(await readMode(join(folder, 'jwt_secret')), 0o644, 'behind the folder');
  t.equal(await readFile(join(folder, 'jwt_secret'), 'utf8'), 'kept');
});

t.test('the target of a link keeps its mode', async (t) => {
  const parent = await temporaryFolder(t);
  const [folder, target] = [join(parent, 'secrets'), join(parent, 'elsewhere')];
  await mkdir(folder);
  await writeFile(target, 'x', { mode: 0o600 });
  await symlink(target, join(folder, 'web.crt'));
  t.match(makeSecretsIn(folder), { status: 0 });
  t.equal(await readMode(target), 0o600);
});

t.test(
  'a folder with a file of another user is refused',
  { skip: process.getuid?.() !== 0 && 'only root can give a file away' },
  async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'jwt_secret'), 'planted');
    await chown(join(folder, 'jwt_secret'), 65_534, 65_534);
    t.match(makeSecretsIn(folder), { status: 1, stderr: /belongs to another user/ });
  },
);
