// Clients that reconnect and clients that are slow receive only the missed changes, in their latest
// state. The cost in memory does not grow with the number of missed changes.

import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { FleetModel } from '../../helpers/model.js';
import { connect } from '../../helpers/raw-client.js';
import { watchServerEnds } from '../../helpers/sockets.js';

const { createDatabase } = await startServer(t);

async function started(t: Test, vms: number) {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, $1) n`,
    [vms],
  );
  return { database, gateway: await startGateway(t, database) };
}

const open = async (gateway: TestGateway, cursor?: string, role: 'admin' | 'dashboard' = 'admin') =>
  gateway.connect(cursor === undefined ? '/v1/vms' : `/v1/vms?cursor=${cursor}`, role);

/** Connects, reads the table and leaves; returns the client's last state. */
async function seen(gateway: TestGateway, database: TestDatabase): Promise<FleetModel> {
  const model = FleetModel.ofAdmin(await open(gateway));
  await model.untilTable(database);
  await model.client.close();
  return model;
}

t.test('a client that comes back receives only what changed meanwhile', async (t) => {
  const { database, gateway } = await started(t, 1_000);
  const before = await seen(gateway, database);
  const witness = FleetModel.ofAdmin(await open(gateway));
  await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-7'`);
  await database.query(`UPDATE vms SET status = 'in-use' WHERE hostname = 'vm-7'`);
  await database.query(`DELETE FROM vms WHERE hostname = 'vm-8'`);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-new', 'available')`);
  await database.query(`UPDATE vms SET hostname = 'vm-9b' WHERE hostname = 'vm-9'`);
  await witness.untilTable(database);

  const model = FleetModel.ofAdmin(await open(gateway, before.cursor), before);
  await model.untilTable(database);
  const [welcome, first, ...more] = model.client.messages;
  t.match(welcome, { type: 'welcome', live: true });
  t.match(first, { type: 'changes' });
  t.same(more, [], 'one frame');
  const told = (first?.changes as { hostname?: string; vm?: { hostname: string } }[])
    .map(({ hostname, vm }) => hostname ?? vm?.hostname)
    .sort();
  t.same(told, ['vm-7', 'vm-8', 'vm-9', 'vm-9b', 'vm-new']);
});

t.test('a client that missed nothing gets exactly one empty frame', async (t) => {
  const { database, gateway } = await started(t, 10);
  const before = await seen(gateway, database);
  const model = FleetModel.ofAdmin(await open(gateway, before.cursor), before);
  await model.client.nextMessage('changes');
  model.client.send({ type: 'ping' });
  await model.client.nextMessage('pong');
  t.same(
    model.client.messages.map(({ type, changes }) => [type, changes]),
    [
      ['welcome', undefined],
      ['changes', []],
      ['pong', undefined],
    ],
  );
  t.equal(model.client.messages[1]?.cursor, before.cursor);
  await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-1'`);
  t.match(await model.client.nextMessage('changes'), { changes: [{ op: 'upsert' }] });
});

t.test('a cursor that cannot be resumed from gets a snapshot', async (t) => {
  const { database, gateway } = await started(t, 10);
  const before = await seen(gateway, database);
  await gateway.app.close();
  const next = await startGateway(t, database);
  const [epoch, offset] = String((await seen(next, database)).cursor).split('.');
  for (const cursor of [before.cursor, `${epoch}.${Number(offset) + 1_000}`, 'nobody.0']) {
    const model = FleetModel.ofAdmin(await open(next, cursor), before);
    await model.untilTable(database);
    t.equal(model.snapshots, 1, `from ${cursor}`);
    t.equal(model.rows.size, 10);
  }
});

t.test(
  'a snapshot in many batches, while rows change, ends at the state of the table',
  async (t) => {
    const { database, gateway } = await started(t, 5_000);
    const models = await Promise.all(
      Array.from({ length: 5 }, async (_, n) => {
        await database.query(`UPDATE vms SET email = $1 WHERE id % 5 = $2`, [`${n}@b.c`, n]);
        await database.query('DELETE FROM vms WHERE id % 50 = $1', [n]);
        return FleetModel.ofDashboard(await open(gateway, undefined, 'dashboard'));
      }),
    );
    for (const model of models) {
      await model.untilTable(database);
      t.equal(model.snapshots, 1);
      t.ok(model.client.messages.filter(({ type }) => type === 'snapshot').length > 5, 'in parts');
    }
  },
);

const ROWS = 1_000;
const ROUNDS = 8;
const COLUMN_BYTES = 6_000;
/** The largest unsent buffer of a socket, and the largest batch of a catch-up on top. */
const MAX_UNSENT_BYTES = (256 + 2 * 64) * 1024;

t.test(
  'a reader that stops delays no other, uses little memory, and ends at the state of the table',
  async (t) => {
    const { database, gateway } = await started(t, ROWS);
    const serverEnd = watchServerEnds(t);
    const [slow, quick] = [
      FleetModel.ofAdmin(await open(gateway)),
      FleetModel.ofAdmin(await open(gateway)),
    ];
    await slow.untilTable(database);
    const socket = serverEnd(slow.client.ws);
    slow.client.ws.pause();
    const writtenBefore = socket.bytesWritten;
    let mostUnsent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await database.query('UPDATE vms SET crd_command = repeat($1, $2)', [
        String(round),
        COLUMN_BYTES,
      ]);
      await database.query(`DELETE FROM vms WHERE hostname = 'vm-' || $1`, [round]);
      await quick.untilTable(database);
      mostUnsent = Math.max(mostUnsent, socket.writableLength);
    }
    // The kernel would take megabytes.
    const written = socket.bytesWritten - writtenBefore;
    t.ok(written > 128 * 1024, 'it got about as much as may be unconfirmed');
    t.ok(written < MAX_UNSENT_BYTES, `${written} bytes were written to it`);
    t.ok(mostUnsent < MAX_UNSENT_BYTES, `${mostUnsent} bytes were kept unsent`);

    slow.client.ws.resume();
    await slow.untilTable(database);
    const told = (model: FleetModel): number =>
      model.client.messages.reduce(
        (sum, { changes }) => sum + (Array.isArray(changes) ? changes.length : 0),
        0,
      );
    t.ok(told(slow) < told(quick), 'states in between were conflated');
  },
);

t.test('messages are within the limit of clients, whatever the script', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  await database.query(`
    INSERT INTO vms (hostname, status, email, crd_command)
    SELECT 'vm-' || n, 'in-use', repeat('漢', 60), repeat('字', 300) FROM generate_series(1, 500) n`);
  const witness = FleetModel.ofAdmin(await open(gateway));
  await witness.untilTable(database);
  const clients = await Promise.all(
    ['admin', 'dashboard'].map(async (role) => {
      const headers = { authorization: `Bearer ${await gateway.token(role as 'admin')}` };
      const url = `${gateway.url.replace('http', 'ws')}/v1/vms`;
      // ws closes with 1009 at a larger message.
      return connect(url, [], { headers, maxPayload: 32 * 1024 });
    }),
  );
  const models = clients.map((client, n) =>
    n === 0 ? FleetModel.ofAdmin(client) : FleetModel.ofDashboard(client),
  );
  for (const model of models) await model.untilTable(database);
  await database.query(`UPDATE vms SET email = repeat('語', 60)`);
  for (const model of models) await model.untilTable(database);
  t.ok(clients.every(({ ws }) => ws.readyState === ws.OPEN));
});
