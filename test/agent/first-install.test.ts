// A gateway is installed onto a table with VMs in use. Their commands ran long ago and hold
// one-time codes, so neither agent runs them again; a new assignment of the same VM runs.

import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import t, { type Test } from 'tap';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createGuideDatabase } from '../schema/guide.js';
import { openSession } from '../schema/session.js';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { run, runCommand, type Program } from '../helpers/process.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { findPython } from './python.js';
import { agentFiles, assign, countRuns, untilEnded, type AgentFiles } from './setup.js';

const { createDatabase } = await startServer(t);
const folder = await scratchFolder();
t.teardown(() => rm(folder, { recursive: true, force: true }));
const python = findPython();
const HOSTNAME = 'i-0abc123def456';

type StartAgent = (t: Test, files: AgentFiles) => Program;

const startShippedAgent: StartAgent = (t, files) =>
  runCommand(t, ['agent', ...files.args, '--fail-vm-on-error', '--shell'], {});

const startPythonAgent: StartAgent = (t, files) => {
  const shell = ['--exec', '/bin/sh', '-c', 'eval "$LABLINK_CRD_COMMAND"'];
  const script = resolve('deploy/agent/lablink_agent.py');
  return run(t, python ?? '', [script, ...files.args, '--fail-vm-on-error', ...shell]);
};

async function testFirstInstall(t: Test, name: string, startAgent: StartAgent): Promise<void> {
  const database = await createDatabase({ migrate: false });
  const session = await openSession(t, database.config);
  await createGuideDatabase(session);
  const command = (run: string): string => `echo run >> '${folder}/${name}-${run}.runs'; exit 3`;
  await database.query('UPDATE vms SET crd_command = $1 WHERE hostname = $2', [
    command('old'),
    HOSTNAME,
  ]);
  await migrate(database.config, { mode: 'apply' });
  const gateway = await startGateway(t, database, { offlineGraceMs: 60_000 });
  const files = await agentFiles(gateway, folder, HOSTNAME);
  const agent = startAgent(t, files);
  await until('the agent is connected', async () => {
    const online = await database.query('SELECT FROM vm_presence WHERE online');
    return online.length > 0;
  });

  const watcher = await gateway.connect(`/v1/vms/${HOSTNAME}`, 'admin');
  const untilVersion = (version: string) =>
    until('the change is sent', () =>
      Promise.resolve(
        watcher.messages.some((message) => JSON.stringify(message).includes(version)),
      ),
    );
  // A change of neither status, person nor command makes no new assignment.
  const [touched] = await database.query<{ version: string }>(
    `UPDATE vms SET created_at = now() WHERE hostname = $1 RETURNING version`,
    [HOSTNAME],
  );
  await untilVersion(`"version":${touched?.version ?? ''}`);
  const [vm] = await database.query<{ status: string }>(
    'SELECT status FROM vms WHERE hostname = $1',
    [HOSTNAME],
  );
  t.equal(vm?.status, 'in-use');

  const assignmentId = await assign(database, HOSTNAME, command('new'));
  t.equal(await untilEnded(files, assignmentId), 'failed', 'a new assignment is run');
  t.equal(await countRuns(folder, `${name}-new`), 1);
  t.equal(await countRuns(folder, `${name}-old`), 0);
  agent.child.kill('SIGTERM');
  await agent.exited;
  await rm(files.stateFile, { force: true });
}

t.test('the agent runs no command that stood before the gateway came', (t) =>
  testFirstInstall(t, 'shipped', startShippedAgent),
);

t.test(
  'the agent in Python runs none either',
  { skip: python === undefined && 'no Python with websockets' },
  (t) => testFirstInstall(t, 'python', startPythonAgent),
);
