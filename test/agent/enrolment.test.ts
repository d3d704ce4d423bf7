// VMs that boot from one image: each agent enrols, keeps its token, and no other agent can take its
// hostname.

import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { runCommand, type Program } from '../helpers/process.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { assign, letEnd, countRuns, buildTracedCommand } from './setup.js';

const HOSTNAME = 'vm-of-an-image';

t.test('an agent enrols, and reconnects with the token that it received', async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database);
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const enrolTokenFile = join(folder, 'enrol-token');
  await writeFile(enrolTokenFile, await gateway.token('enrol', 'image'));

  const startAgent = (t: Test, machine: string): Program =>
    runCommand(
      t,
      [
        ...['agent', '--url', gateway.url, '--hostname', HOSTNAME, '--shell'],
        ...['--enrol-token-file', enrolTokenFile],
        ...['--token-file', join(folder, `${machine}.token`)],
        ...['--state-file', join(folder, `${machine}.state`)],
      ],
      {},
    );
  const runs = async (name: string): Promise<void> => {
    await assign(database, HOSTNAME, buildTracedCommand({ folder }, name));
    await until(`${name} runs`, async () => (await countRuns(folder, name)) === 1);
    await letEnd(folder, name);
  };
  const isOnline = async (): Promise<boolean> =>
    (await database.query('SELECT FROM vm_presence WHERE online')).length > 0;

  const first = startAgent(t, 'first');
  await until('it is online', isOnline);
  await runs('one');
  const token = join(folder, 'first.token');
  t.equal((await stat(token)).mode & 0o777, 0o600);
  first.child.kill('SIGKILL');
  await first.exited;

  const kept = await readFile(token, 'utf8');
  const again = startAgent(t, 'first');
  await runs('two');
  t.equal(await readFile(token, 'utf8'), kept, 'it asked for no other');

  const impostor = startAgent(t, 'impostor');
  await impostor.until(({ stderr }) => stderr.includes('could not be enrolled'));
  again.child.kill('SIGTERM');
  await again.exited;
  const headers = { authorization: `Bearer ${await gateway.token('admin')}` };
  const path = `${gateway.url}/v1/enrolments/${HOSTNAME}`;
  t.equal((await fetch(path, { method: 'DELETE', headers })).status, 204);
  await runs('three'); // The other agent runs it: it may have the hostname now.
});
