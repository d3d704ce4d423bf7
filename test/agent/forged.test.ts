// A role that may only connect forges notifications, to a gateway with the key of the table and to
// a gateway without it. A real agent runs what the table assigned, and nothing else.

import { rm } from 'node:fs/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { runCommand } from '../helpers/process.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { agentFiles, assign, countRuns, untilEnded, untilRegistered } from './setup.js';

const { createDatabase } = await startServer(t);
const folder = await scratchFolder();
t.teardown(() => rm(folder, { recursive: true, force: true }));
const HIGHEST = Number.MAX_SAFE_INTEGER;

/** A connection of a role with no right but CONNECT. */
async function connectStranger(t: Test, database: TestDatabase): Promise<pg.Client> {
  const admin = new pg.Client(database.adminConfig);
  await admin.connect();
  await admin.query(`DO $$ BEGIN CREATE ROLE stranger LOGIN PASSWORD 'x';
    EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
  await admin.query(`GRANT CONNECT ON DATABASE ${String(database.config.database)} TO stranger`);
  await admin.end();
  const stranger = new pg.Client({ ...database.config, user: 'stranger', password: 'x' });
  await stranger.connect();
  t.teardown(() => stranger.end());
  await t.rejects(stranger.query('SELECT * FROM vms'), { code: '42501' });
  return stranger;
}

/** What the gateway counted since its start. */
async function readCounter(gateway: { url: string }, line: string): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const found = text.split('\n').find((one) => one.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1) ?? 0);
}

async function testForgeries(t: Test, hostname: string, withKey: boolean): Promise<void> {
  const database = await createDatabase();
  if (!withKey) await database.query('DROP TABLE vm_keys');
  const gateway = await startGateway(t, database);
  const files = await agentFiles(gateway, folder, hostname);
  const agent = runCommand(t, ['agent', ...files.args, '--shell'], {});
  await untilRegistered(database, hostname);
  const stranger = await connectStranger(t, database);
  const heard: string[] = [];
  stranger.on('notification', ({ payload = '' }) => heard.push(payload));
  await stranger.query('LISTEN vm_updates');
  const forge = (row: object) =>
    stranger.query('SELECT pg_notify($1, $2)', ['vm_updates', JSON.stringify(row)]);
  const touch = (name: string): string => `echo run >> '${folder}/${hostname}-${name}.runs'`;

  // An invented assignment, of the highest version there is.
  const row = { hostname, version: HIGHEST, status: 'in-use', email: 'eve@x.y' };
  const assignmentId = '0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a';
  await forge({ ...row, assignment_id: assignmentId, crd_command: touch('forged') });

  const first = await assign(database, hostname, touch('first'));
  t.equal(await untilEnded(files, first), 'succeeded');
  const genuine = await until('the assignment is heard', () =>
    Promise.resolve(heard.find((payload) => payload.includes(first))),
  );
  const known = JSON.parse(genuine) as { version: number };

  // The known assignment with another command, and with the assignment taken away.
  await forge({ ...known, version: HIGHEST, crd_command: touch('changed') });
  await forge({ ...known, version: HIGHEST, status: 'available', assignment_id: null });
  // The old assignment again, after the VM was released.
  await database.query(
    `UPDATE vms SET status = 'available', email = NULL, crd_command = NULL WHERE hostname = $1`,
    [hostname],
  );
  await forge({ ...known, version: HIGHEST });
  await rm(files.stateFile, { force: true });

  const second = await assign(database, hostname, touch('second'));
  t.equal(await untilEnded(files, second), 'succeeded');
  for (const name of ['forged', 'changed'])
    t.equal(await countRuns(folder, `${hostname}-${name}`), 0);
  for (const name of ['first', 'second'])
    t.equal(await countRuns(folder, `${hostname}-${name}`), 1);
  const unproven = 'lablink_notifications_total{channel="vm_updates",outcome="unproven"}';
  t.ok((await readCounter(gateway, unproven)) >= 3, 'the forgeries are counted as unproven');
  await until('a read contradicts a forgery', async () => {
    return (await readCounter(gateway, 'lablink_notifications_contradicted_total')) >= 1;
  });
  agent.child.kill('SIGTERM');
  await agent.exited;
}

t.test('with the key, forged and repeated assignments run nothing', (t) =>
  testForgeries(t, 'vm-key', true),
);

t.test('without the key, forged and repeated assignments run nothing', (t) =>
  testForgeries(t, 'vm-no-key', false),
);
