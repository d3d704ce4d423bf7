// The generated secret is stored, read again, the same for all processes, and rejected if other
// users can read it.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { resolveSecrets } from '../../../src/gateway/auth/secret.js';
import { createVerifier, signToken } from '../../../src/gateway/auth/token.js';
import { ConfigError } from '../../../src/config/load.js';
import { TYPESCRIPT_LOADER } from '../../helpers/loader.js';

const KEPT = 'kept earlier, and long enough to be a secret';

const kept = (dataDir: string) => resolveSecrets({ jwtSecrets: [], jwtPublicKeys: [], dataDir });

/** Creates a data folder with this secret. */
async function folderWith(t: Test, secret: string, mode = 0o600): Promise<[string, string]> {
  const dataDir = t.testdir({});
  const path = join(dataDir, 'jwt-secret');
  await writeFile(path, secret, { mode });
  await chmod(path, mode);
  return [dataDir, path];
}

t.test('configured secrets are used, and no file is created', async (t) => {
  const dataDir = t.testdir({});
  const configured = { jwtSecrets: ['new', 'old'], jwtPublicKeys: [], dataDir };
  t.strictSame(await resolveSecrets(configured), ['new', 'old']);
  t.strictSame(await readdir(dataDir), []);
});

t.test('with a public key no secret is generated, and a stored one is not used', async (t) => {
  const jwtPublicKeys = [{ algorithm: 'EdDSA', pem: 'any' }] as const;
  const [dataDir] = await folderWith(t, KEPT);
  t.strictSame(await resolveSecrets({ jwtSecrets: [], jwtPublicKeys, dataDir }), []);
  const none = t.testdir({});
  t.strictSame(await resolveSecrets({ jwtSecrets: [], jwtPublicKeys, dataDir: none }), []);
  t.strictSame(await readdir(none), []);
  const both = { jwtSecrets: ['configured'], jwtPublicKeys, dataDir };
  t.strictSame(await resolveSecrets(both), ['configured']);
});

t.test(
  'a secret is generated in a folder that may not exist yet, readable by its owner only',
  async (t) => {
    const dataDir = join(t.testdir({}), 'deep', 'data');
    const umask = process.umask(0);
    t.teardown(() => process.umask(umask));
    const secrets = await kept(dataDir);
    const [secret = ''] = secrets;
    t.equal(secrets.length, 1);
    t.match(secret, /^[\w-]{43}$/, '32 random bytes');
    t.strictSame(await readdir(dataDir), ['jwt-secret'], 'no drafts are left');
    t.equal((await stat(join(dataDir, 'jwt-secret'))).mode & 0o777, 0o600);
    t.equal((await stat(dataDir)).mode & 0o777, 0o700);
    const token = signToken({ sub: 'a', role: 'admin', ttlSeconds: 60 }, secret);
    t.match(createVerifier(secrets)(token), { ok: true });
  },
);

t.test('the secret is read again, and another folder has another secret', async (t) => {
  const folder = t.testdir({});
  const [first] = await kept(join(folder, 'a'));
  t.strictSame(await kept(join(folder, 'a')), [first]);
  t.not((await kept(join(folder, 'b')))[0], first);
});

t.test('a secret that an operator has stored is used, without its line break', async (t) => {
  const [dataDir, path] = await folderWith(t, `${KEPT}\n`);
  t.strictSame(await kept(dataDir), [KEPT]);
  t.equal(await readFile(path, 'utf8'), `${KEPT}\n`);
});

t.test('concurrent starts within a process use the same secret', async (t) => {
  const dataDir = join(t.testdir({}), 'data');
  const all = await Promise.all(Array.from({ length: 50 }, () => kept(dataDir)));
  t.equal(new Set(all.map(([secret]) => secret)).size, 1);
  t.strictSame(await readdir(dataDir), ['jwt-secret']);
});

t.test('concurrent starts of two processes use the same secret', async (t) => {
  const dataDir = join(t.testdir({}), 'data');
  const maker = fileURLToPath(new URL('secret-maker.ts', import.meta.url));
  const makers = Array.from({ length: 2 }, () =>
    fork(maker, [dataDir], { execArgv: ['--import', TYPESCRIPT_LOADER] }),
  );
  t.teardown(() => {
    for (const child of makers) child.kill('SIGKILL');
  });
  await Promise.all(makers.map((child) => once(child, 'message')));
  const answers = makers.map(async (child) => {
    const answer = once(child, 'message');
    child.send('go');
    return String((await answer)[0]);
  });
  const secrets = new Set(await Promise.all(answers));
  t.strictSame([...secrets], [...(await kept(dataDir))]);
  t.strictSame(await readdir(dataDir), ['jwt-secret']);
});

t.test('a secret that other users can read is rejected', async (t) => {
  for (const mode of [0o640, 0o604, 0o620, 0o601, 0o666]) {
    const [dataDir, path] = await folderWith(t, KEPT, mode);
    const fault = `JWT_SECRET is not set, and the secret in ${path} is readable by other users; run: chmod 600 ${path}`;
    await t.rejects(kept(dataDir), new ConfigError([fault]), mode.toString(8));
    await chmod(path, 0o600);
    t.strictSame(await kept(dataDir), [KEPT], 'as the refusal says');
  }
});

t.test(
  'a secret that belongs to another user is rejected',
  { skip: process.geteuid?.() !== 0 && 'only root can give a file away' },
  async (t) => {
    const [dataDir, path] = await folderWith(t, KEPT);
    await chown(path, 65_534, 65_534);
    await t.rejects(kept(dataDir), {
      name: 'ConfigError',
      message: /belongs to another user \(65534\)/,
    });
  },
);

t.test('a short secret is rejected and not shown', async (t) => {
  for (const secret of ['', '\n', 'hunter2', 'x'.repeat(31), ` ${'x'.repeat(31)}\n`]) {
    const [dataDir] = await folderWith(t, secret);
    const refusal: unknown = await kept(dataDir).catch((error: unknown) => error);
    t.match(refusal, { name: 'ConfigError', message: /has fewer than 32 bytes/ });
    t.notMatch(String(refusal), /hunter2|xxx/);
  }
});

t.test('if no secret can be stored, the error names the path and the reason', async (t) => {
  const folder = t.testdir({ file: 'not a folder' });
  await mkdir(join(folder, 'data', 'jwt-secret'), { recursive: true, mode: 0o700 });
  await chmod(join(folder, 'data', 'jwt-secret'), 0o700);
  for (const [dataDir, code] of [
    [join(folder, 'file'), 'ENOTDIR'],
    [join(folder, 'data'), 'EISDIR'],
    [join(folder, 'x'.repeat(300)), 'ENAMETOOLONG'],
  ] as const) {
    const refusal: unknown = await kept(dataDir).catch((error: unknown) => error);
    const path = join(dataDir, 'jwt-secret');
    t.match(refusal, { name: 'ConfigError', cause: { code } });
    t.match(String(refusal), `DATA_DIR: a secret cannot be stored in ${path} (${code})`);
  }
});
