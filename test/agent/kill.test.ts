// An agent that is killed at every step between push, record, run, exit and report. Afterwards no
// command has run twice, an interrupted one is reported, and the newest assignment is acted on.

import t, { type Test } from 'tap';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { rm } from 'node:fs/promises';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { runHookedAgent } from './hooked-agent.js';
import {
  agentFiles,
  assign,
  letEnd,
  countRuns,
  listRepeated,
  buildTracedCommand,
  untilEnded,
  untilRuns,
} from './setup.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
const gateway = await startGateway(t, database);
const folder = await scratchFolder();
t.teardown(() => rm(folder, { recursive: true, force: true }));

/** Creates a VM that is assigned before its agent starts. */
async function createAssignedVm(hostname: string) {
  await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [hostname]);
  const files = await agentFiles(gateway, folder, hostname);
  const first = await assign(database, hostname, buildTracedCommand(files, `${hostname}-1`));
  return { files, first };
}

/** Lists the steps of a whole run, from the start to the answered report. */
async function listSteps(t: Test): Promise<string[]> {
  const { files, first } = await createAssignedVm('vm-whole');
  await letEnd(folder, 'vm-whole-1');
  const agent = runHookedAgent(t, [...files.args, '--shell']);
  t.equal(await untilEnded(files, first), 'succeeded');
  await agent.until(({ stderr }) => /after report\n.*\n.*after save\n$/.test(stderr));
  agent.child.kill('SIGTERM');
  t.match(await agent.exited, { code: 0 });
  return agent.stderr.match(/^step \d+ .*/gm) ?? [];
}

/** Reads the outcome that the gateway has recorded. */
async function readOutcome(assignmentId: string): Promise<string | null | undefined> {
  const [delivery] = await database.query<{ outcome: string | null }>(
    'SELECT outcome FROM vm_deliveries WHERE assignment_id = $1',
    [assignmentId],
  );
  return delivery?.outcome;
}

/** Kills an agent at this step, and checks what the next agent does. */
async function checkKillAt(t: Test, step: number): Promise<void> {
  const hostname = `vm-${step}`;
  const { files, first } = await createAssignedVm(hostname);
  const args = [...files.args, '--shell'];
  await letEnd(folder, `${hostname}-1`);
  const killed = runHookedAgent(t, args, step);
  t.match(await killed.exited, { signal: 'SIGKILL' }, killed.stderr);

  const next = runHookedAgent(t, args);
  const outcome = await untilEnded(files, first);
  const runs = await countRuns(folder, `${hostname}-1`);
  t.ok(runs <= 1, `${hostname} ran ${runs} times`);
  if (outcome === 'succeeded') t.equal(runs, 1);
  else t.equal(outcome, 'interrupted');
  const status = outcome === 'succeeded' ? 'in-use' : 'failed';
  await until(`${hostname} is ${status}`, async () => {
    const [vm] = await database.query<{ status: string }>(
      'SELECT status FROM vms WHERE hostname = $1',
      [hostname],
    );
    return vm?.status === status;
  });

  await until('the end is reported', async () => (await readOutcome(first)) === outcome);

  const second = await assign(database, hostname, buildTracedCommand(files, `${hostname}-2`));
  await untilRuns(folder, `${hostname}-2`);
  await letEnd(folder, `${hostname}-2`);
  t.equal(await untilEnded(files, second), 'succeeded');
  next.child.kill('SIGTERM');
  t.match(await next.exited, { code: 0 });
}

t.test('at every step', async (t) => {
  const steps = await listSteps(t);
  t.comment(steps.join('\n'));
  t.ok(steps.length >= 14, 'the steps are found');
  const left = steps.map((_, index) => index + 1);
  const work = async (): Promise<void> => {
    for (let step = left.shift(); step !== undefined; step = left.shift())
      await checkKillAt(t, step);
  };
  await Promise.all(Array.from({ length: 4 }, work));
  t.same(await listRepeated(folder), []);
});
