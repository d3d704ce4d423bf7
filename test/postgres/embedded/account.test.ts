import { join } from 'node:path';
import t, { type Test } from 'tap';
import { accountFor } from '../../../src/postgres/embedded/account.js';
import { folder } from './support.js';

/** For the time of the test, this process says that it is somebody else, on another system. */
function pretend(t: Test, uid: number, platform: NodeJS.Platform): void {
  const { getuid, platform: before } = process;
  Object.defineProperties(process, { getuid: { value: () => uid }, platform: { value: platform } });
  t.teardown(() =>
    Object.defineProperties(process, { getuid: { value: getuid }, platform: { value: before } }),
  );
}

t.test('an ordinary user runs the server as himself', async (t) => {
  pretend(t, 1000, 'linux');
  t.equal(await accountFor(await folder(t)), undefined);
});

t.test('root gives a new cluster to an account of its own', async (t) => {
  pretend(t, 0, 'linux');
  t.same(await accountFor(join(await folder(t), 'none')), { uid: 65524, gid: 65524 });
});

t.test('root is told to be somebody else where it cannot become another', async (t) => {
  pretend(t, 0, 'darwin');
  await t.rejects(accountFor(await folder(t)), {
    code: 'start_failed',
    message: /as an ordinary user.*DATABASE_URL/,
  });
});
