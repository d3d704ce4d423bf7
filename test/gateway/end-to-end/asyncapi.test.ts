// The frames that a gateway sends and accepts match the AsyncAPI document of their URL.

import { Ajv, type ValidateFunction } from 'ajv';
import t, { type Test } from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { runCommand } from '../../helpers/process.js';
import { listMessages, type Document } from '../../helpers/asyncapi.js';
import { FleetModel } from '../../helpers/model.js';
import { until } from '../../helpers/until.js';

const server = await startServer(t);

const program = runCommand(t, ['asyncapi'], {});
t.match(await program.exited, { code: 0 });
const document = JSON.parse(program.stdout) as Document;
const ajv = new Ajv({ strict: false }).addSchema(document, 'document');

/** The compiled schema of each message of an operation, by message type. */
function compileSchemas(operation: string): Map<string, ValidateFunction> {
  return new Map(
    listMessages(document, operation).map(({ type, schema }) => {
      const check = ajv.getSchema(`document${schema}`);
      if (check === undefined) throw new Error(`no schema ${schema}`);
      return [type, check];
    }),
  );
}

/**
 * Each frame matches a message of the operation, and each message of the operation occurs among the
 * frames.
 */
function conform(t: Test, operation: string, frames: readonly { type: string }[]): void {
  const checks = compileSchemas(operation);
  for (const frame of frames) {
    const check = checks.get(frame.type);
    t.ok(check?.(frame), `${operation} ${frame.type} ${JSON.stringify(check?.errors)}`);
  }
  const seen = new Set(frames.map(({ type }) => type));
  t.same([...seen].sort(), [...checks.keys()].sort(), `all of ${operation}`);
}

t.test('every frame, in both directions, on both URLs', async (t) => {
  const database = await server.createDatabase();
  const gateway = await startGateway(t, database);
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const dashboard = FleetModel.ofDashboard(await gateway.connect('/v1/vms', 'dashboard'));
  const admin = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  const fleet = [dashboard, admin];
  const settled = () => Promise.all(fleet.map((model) => model.untilTable(database)));
  await agent.nextMessage('absent');
  await settled();
  for (const change of [
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`,
    `UPDATE vms SET status = 'in-use', email = 'a@b.c', crd_command = 'x'`,
    'DELETE FROM vms',
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use')`,
  ]) {
    await database.query(change);
    await settled();
  }
  await agent.nextMessage('absent');
  const { vm } = await agent.nextMessage('assignment');
  const { assignment_id } = vm as { assignment_id: string };
  const fromAgent = [
    { type: 'ack', assignment_id },
    { type: 'status', status: 'failed', assignment_id },
    { type: 'status', status: 'available' },
    { type: 'auth', token: await gateway.token('agent', 'vm-1') },
    { type: 'ping' },
  ] as const;
  const [ack, failed, available, auth, ping] = fromAgent;
  agent.send(ack);
  await until('it is recorded', async () => {
    return (
      (await database.query('SELECT FROM vm_deliveries WHERE acknowledged_at IS NOT NULL')).length >
      0
    );
  });
  for (const report of [failed, available]) {
    agent.send(report);
    t.match(await agent.nextMessage('status'), { vm: { status: report.status } });
  }
  for (const message of [auth, ping]) agent.send(message);
  await agent.nextMessage('pong');
  agent.send({ type: 'unknown' });
  await agent.nextMessage('error');
  const fromDashboard = [
    { type: 'auth', token: await gateway.token('dashboard', 'tester') },
    { type: 'ping' },
  ];
  for (const message of fromDashboard) dashboard.client.send(message);
  await dashboard.client.nextMessage('pong');
  dashboard.client.send({ type: 'ack', assignment_id });
  t.match(await dashboard.client.nextMessage('error'), { code: 'not_allowed' });
  const newcomer = await gateway.connect('/v1/vms/vm-1', 'dashboard');
  await newcomer.nextMessage('status');
  await server.stop();
  await Promise.all([agent, dashboard.client].map((client) => client.nextMessage('feed')));
  t.equal(agent.messages.filter(({ type }) => type === 'error').length, 1, 'all was taken');

  conform(t, 'vm.send', [...agent.messages, ...newcomer.messages]);
  conform(t, 'vm.receive', fromAgent);
  conform(t, 'fleet.send', [...dashboard.client.messages, ...admin.client.messages]);
  conform(t, 'fleet.receive', fromDashboard);
});
