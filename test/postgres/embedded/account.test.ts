import { chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  listServerAccounts,
  listUnprivilegedAccounts,
  parsePasswd,
} from '../../../src/postgres/embedded/account.js';
import { folder, unlessRoot } from './support.js';

/** Makes this process claim to be another user on another system until the test ends. */
function pretend(t: Test, uid: number, platform: NodeJS.Platform): void {
  const { getuid, platform: before } = process;
  Object.defineProperties(process, { getuid: { value: () => uid }, platform: { value: platform } });
  t.teardown(() =>
    Object.defineProperties(process, { getuid: { value: getuid }, platform: { value: before } }),
  );
}

t.test('an ordinary user runs the server under their own account', async (t) => {
  pretend(t, 1000, 'linux');
  t.same(await listServerAccounts(await folder(t)), [undefined]);
});

t.test('root gives a new cluster to an account of this machine', async (t) => {
  pretend(t, 0, 'linux');
  const accounts = await listServerAccounts(join(await folder(t), 'none'));
  t.same(accounts, parsePasswd(await readFile('/etc/passwd', 'utf8')));
  t.notOk(accounts.some((account) => account?.uid === 0));
});

t.test('an existing cluster keeps its owner', { skip: unlessRoot }, async (t) => {
  const cluster = await folder(t);
  await chown(cluster, 12345, 12346);
  t.same(await listServerAccounts(cluster), [{ uid: 12345, gid: 12346 }]);
});

t.test('postgres comes first, then nobody, then the other accounts but root', (t) => {
  const passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
toor:x:0:0::/root:/bin/sh
nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin
+nis-account
postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash
`;
  t.same(parsePasswd(passwd), [
    { uid: 101, gid: 104 },
    { uid: 65534, gid: 65533 },
    { uid: 1, gid: 1 },
  ]);
  t.end();
});

t.test('a machine with no account but root gets the advice to add one', async (t) => {
  const passwd = join(await folder(t), 'passwd');
  await writeFile(passwd, 'root:x:0:0:root:/root:/bin/bash\n');
  for (const path of [passwd, `${passwd}.missing`]) {
    await t.rejects(listUnprivilegedAccounts(path), {
      code: 'start_failed',
      message: /refuses to run as root.*useradd.*DATABASE_URL/,
    });
  }
});

t.test('root gets the advice to start as an ordinary user on other systems', async (t) => {
  pretend(t, 0, 'darwin');
  await t.rejects(listServerAccounts(await folder(t)), {
    code: 'start_failed',
    message: /as an ordinary user.*DATABASE_URL/,
  });
});
