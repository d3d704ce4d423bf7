// Agents acknowledge assignments and report the state of their VM. Each message changes the table,
// or is rejected with the socket left open.

import t, { type Test } from 'tap';
import { signToken } from '../../../src/gateway/auth/token.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { VmModel } from '../../helpers/model.js';
import { connect, type RawClient } from '../../helpers/raw-client.js';
import { until } from '../../helpers/until.js';

const SECRET = 'the secret of this file, which has enough bytes';
const UNKNOWN_ASSIGNMENT = '2b1f4b1c-0d3e-4c56-9a7b-000000000000';

const { createDatabase } = await startServer(t);

/** A gateway with an assigned VM, and the VM's agent. */
async function assigned(t: Test) {
  const database = await createDatabase();
  const gateway = await startGateway(t, database, { jwtSecrets: [SECRET] });
  const open = async (hostname: string, role: 'agent' | 'dashboard' | 'admin', ttlSeconds = 600) =>
    connect(`${gateway.url.replace('http', 'ws')}/v1/vms/${hostname}`, [], {
      headers: {
        authorization: `Bearer ${signToken({ role, sub: hostname, ttlSeconds }, SECRET)}`,
      },
    });
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command) VALUES ('vm-1', 'in-use', 'a@b.c', 'run')`,
  );
  const agent = new VmModel(await open('vm-1', 'agent'), 'vm-1');
  const settled = async () => {
    await agent.untilTable(database);
    return agent.vm;
  };
  await settled();
  const assignment = String(agent.vm?.assignment_id);
  return { database, open, agent: agent.client, settled, assignment };
}

/** Sends a message that must be rejected, and returns the code of the rejection. */
async function refusal(client: RawClient, message: object): Promise<unknown> {
  client.send(message);
  return (await client.nextMessage('error')).code;
}

t.test('an acknowledgement is recorded once', async (t) => {
  const { database, agent, assignment } = await assigned(t);
  const recorded = () =>
    database.query(
      'SELECT assignment_id, hostname FROM vm_deliveries WHERE acknowledged_at IS NOT NULL',
    );
  t.same(await recorded(), []);
  agent.send({ type: 'ack', assignment_id: assignment });
  agent.send({ type: 'ack', assignment_id: assignment.toUpperCase() });
  await until('the delivery is recorded', async () => (await recorded()).length > 0);
  t.equal(
    await refusal(agent, { type: 'ack', assignment_id: UNKNOWN_ASSIGNMENT }),
    'stale_assignment',
  );
  t.same(await recorded(), [{ assignment_id: assignment, hostname: 'vm-1' }]);
});

t.test('an acknowledgement of another or an earlier assignment is rejected', async (t) => {
  const { database, agent, assignment, settled } = await assigned(t);
  const [other] = await database.query<{ id: string }>(
    `INSERT INTO vms (hostname, status) VALUES ('vm-2', 'in-use') RETURNING assignment_id AS id`,
  );
  t.equal(await refusal(agent, { type: 'ack', assignment_id: other?.id }), 'stale_assignment');
  await database.query(`UPDATE vms SET email = 'c@d.e' WHERE hostname = 'vm-1'`);
  t.equal(await refusal(agent, { type: 'ack', assignment_id: assignment }), 'stale_assignment');
  t.not((await settled())?.assignment_id, assignment, 'another person, another assignment');
  await database.query(`UPDATE vms SET status = 'available' WHERE hostname = 'vm-1'`);
  t.equal(await refusal(agent, { type: 'ack', assignment_id: assignment }), 'stale_assignment');
  t.same(await database.query('SELECT FROM vm_deliveries WHERE acknowledged_at IS NOT NULL'), []);
});

t.test('an agent may report its VM failed, and available only after a failure', async (t) => {
  const { agent, assignment, settled } = await assigned(t);
  const available = { type: 'status', status: 'available' };
  t.equal(await refusal(agent, available), 'not_allowed', 'a person has it');
  t.match(await settled(), { status: 'in-use', email: 'a@b.c' });

  agent.send({ type: 'status', status: 'failed' });
  await agent.next(({ type }) => type === 'status');
  t.match(await settled(), { status: 'failed', email: 'a@b.c', assignment_id: assignment });
  const failed = await settled();
  agent.send({ type: 'status', status: 'failed', assignment_id: assignment });

  agent.send({ ...available, assignment_id: assignment });
  await agent.next(({ vm }) => (vm as { status?: string } | undefined)?.status === 'available');
  const free = { status: 'available', email: null, crd_command: null, assignment_id: null };
  t.match(await settled(), free);
  t.equal((await settled())?.version, Number(failed?.version) + 1, 'a repeat changes nothing');

  agent.send(available);
  t.equal(
    await refusal(agent, { type: 'status', status: 'failed', assignment_id: assignment }),
    'stale_assignment',
  );
  t.match(await settled(), free);
});

t.test('a report about an earlier assignment is rejected', async (t) => {
  const { database, agent, assignment, settled } = await assigned(t);
  await database.query(`UPDATE vms SET crd_command = 'run something else'`);
  const report = { type: 'status', status: 'failed', assignment_id: assignment };
  t.equal(await refusal(agent, report), 'stale_assignment');
  t.match(await settled(), { status: 'in-use' });
});

t.test('an agent without a row in the table is informed', async (t) => {
  const { database, agent, settled } = await assigned(t);
  await database.query('DELETE FROM vms');
  t.equal(await settled(), null);
  t.equal(await refusal(agent, { type: 'status', status: 'failed' }), 'not_allowed');
  t.equal(
    await refusal(agent, { type: 'ack', assignment_id: UNKNOWN_ASSIGNMENT }),
    'stale_assignment',
  );
});

t.test('only the agent of a VM may report about it', async (t) => {
  const { database, open, assignment, settled } = await assigned(t);
  for (const role of ['dashboard', 'admin'] as const) {
    const client = await open('vm-1', role);
    t.equal(await refusal(client, { type: 'ack', assignment_id: assignment }), 'not_allowed');
    t.equal(await refusal(client, { type: 'status', status: 'failed' }), 'not_allowed');
    await client.close();
  }
  t.match(await settled(), { status: 'in-use' });
  t.same(await database.query('SELECT FROM vm_deliveries WHERE acknowledged_at IS NOT NULL'), []);
});

t.test('a newer agent replaces only the older agent of its hostname', async (t) => {
  const { database, open, agent } = await assigned(t);
  const [watcher, other] = [await open('vm-1', 'dashboard'), await open('vm-2', 'agent')];
  const newer = await open('vm-1', 'agent');
  t.same(await agent.closed, { code: 4409, reason: 'replaced' });
  const newest = await open('vm-1', 'agent');
  t.match(await newer.closed, { code: 4409 });
  await database.query(`UPDATE vms SET status = 'failed'`);
  await new VmModel(newest, 'vm-1').untilTable(database);
  await watcher.nextMessage('status');
  t.equal(other.ws.readyState, other.ws.OPEN);
});

t.test('a socket ends with its token, unless the client renews the token in time', async (t) => {
  const { open } = await assigned(t);
  const [ends, renewed] = [await open('vm-2', 'agent'), await open('vm-3', 'agent')];
  const fresh = signToken({ role: 'agent', sub: 'vm-3', ttlSeconds: 3_600 }, SECRET);
  renewed.send({ type: 'auth', token: fresh });
  renewed.send({ type: 'ping' });
  await renewed.nextMessage('pong');
  // The gateway reads the wall clock: the first tokens have expired, the fresh token has not.
  const now = Date.now.bind(Date);
  t.teardown(() => (Date.now = now));
  Date.now = () => now() + 1_800_000;
  t.same(await ends.closed, { code: 4401, reason: 'token missing or expired' });
  renewed.send({ type: 'ping' });
  t.match(await renewed.nextMessage('pong'), { type: 'pong' });
  t.equal(renewed.messages.filter(({ type }) => type === 'error').length, 0);
});
