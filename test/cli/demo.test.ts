// The demo as a process: it runs by itself, and leaves nothing behind.

import { readdir } from 'node:fs/promises';
import t from 'tap';
import { createClient } from '../../src/client/index.js';
import { runCommand, temporaryFolder } from '../helpers/process.js';
import { until } from '../helpers/until.js';

t.test('a workshop begins by itself, and Ctrl-C ends everything', async (t) => {
  const folder = await temporaryFolder(t);
  const demo = runCommand(t, ['demo'], {
    PORT: '0',
    TMPDIR: folder,
    LOG_LEVEL: 'warn',
    // The demo must not touch what the environment configures.
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:9/nothing',
    DATA_DIR: folder,
  });
  const [, url = '', code = ''] = await demo.until(({ stdout }) =>
    /^ +(http:\S+)\/#code=(\S+)$/m.exec(stdout),
  );
  const signedIn = await fetch(`${url}/v1/sign-ins`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  });
  const { token } = (await signedIn.json()) as { token: string };
  const watch = createClient({ url, token }).watchFleet();
  const page = await fetch(`${url}/`);
  t.match(page.headers.get('content-type'), 'text/html');

  await until('thirty VMs are registered', () => watch.state.size === 30);
  await until('people have some of them', () =>
    [...watch.state.values()].some(({ status, email }) => status === 'in-use' && email !== null),
  );
  t.match(await readdir(folder), [/^lablink-demo-/], 'it has a folder of its own');
  demo.child.kill('SIGINT');
  t.match(await demo.exited, { code: 0 });
  watch.close();
  t.same(await readdir(folder), []);
  t.equal(demo.stderr, '');
});
