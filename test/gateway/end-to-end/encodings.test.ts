// Databases in which a value has no encoding: a hostname that the database cannot store, and a row
// that cannot be read. Each is set aside, named once, and everything else goes on.

import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { diagnose } from '../../../src/postgres/admin/doctor/doctor.js';
import { createApi } from '../../helpers/api.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { until } from '../../helpers/until.js';

const server = await startServer(t);

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly hostname?: string;
  readonly id?: string;
}

async function start(t: Test, database: TestDatabase) {
  const lines: Line[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line) as Line) });
  const gateway = await startGateway(t, database, { log });
  return { gateway, lines, api: await createApi(gateway) };
}

const readSetAside = async (url: string): Promise<string[]> =>
  (await (await fetch(`${url}/metrics`)).text())
    .split('\n')
    .filter((line) => line.startsWith('lablink_set_aside{'));

const findingIds = async ({ adminConfig }: TestDatabase): Promise<string[]> => {
  const options = { connection: adminConfig, queries: adminConfig, isRemote: false };
  return (await diagnose(options)).findings.map(({ id }) => id);
};

t.test('an agent whose hostname the database cannot store', async (t) => {
  const database = await server.createDatabase({ encoding: 'LATIN1' });
  await database.query(
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available'), ('vm-é', 'available')`,
  );
  const { gateway, lines, api } = await start(t, database);
  const other = await startGateway(t, database);
  await gateway.connect('/v1/vms/vm-ł', 'agent', 'vm-ł');
  await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  await gateway.connect('/v1/vms/vm-é', 'agent', 'vm-é');
  const isOnline = async (at: TestGateway, hostname: string): Promise<boolean> => {
    const reader = await createApi(at);
    const { json } = await reader('GET', '/v1/vms');
    const { presence } = json as { presence: { hostname: string; online: boolean }[] };
    return presence.some((known) => known.hostname === hostname && known.online);
  };
  for (const at of [gateway, other])
    for (const hostname of ['vm-1', 'vm-é'])
      await until(`${hostname} is online`, () => isOnline(at, hostname));
  await gateway.connect('/v1/vms/vm-2', 'agent', 'vm-2');
  await until('an agent that comes later is written', async () => {
    const rows = await database.query(`SELECT FROM vm_presence WHERE hostname = 'vm-2' AND online`);
    return rows.length === 1;
  });
  const named = lines.filter(({ hostname }) => hostname === 'vm-ł');
  t.match(named, [{ level: 50, msg: /cannot store/ }], 'named once');
  t.same(await readSetAside(gateway.url), [
    'lablink_set_aside{kind="row"} 0',
    'lablink_set_aside{kind="presence"} 1',
  ]);
  t.match(await findingIds(database), ['encoding']);
  t.match(await api('PUT', '/v1/vms/vm-ł'), { status: 400 });
  const agent = await gateway.connect('/v1/vms/vm-ł', 'agent', 'vm-ł');
  agent.send({ type: 'ack', assignment_id: randomUUID() });
  t.match(await agent.nextMessage('error'), { code: 'not_allowed' }, 'it need not try again');
  t.match(await api('PUT', '/v1/vms/vm-ü'), { status: 201 });
});

t.test('a row with a byte that is no text', async (t) => {
  const database = await server.createDatabase({ encoding: 'SQL_ASCII' });
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 20) n`,
  );
  await database.query(`UPDATE vms SET email = chr(255) WHERE hostname = 'vm-7'`);
  await database.query(
    `INSERT INTO vms (hostname, status) VALUES ('vm-' || chr(254), 'available')`,
  );
  const { gateway, lines, api } = await start(t, database);
  const { json } = await api('GET', '/v1/vms?limit=10');
  const { vms, next } = json as { vms: { hostname: string }[]; next: string };
  const rest = (await api('GET', `/v1/vms?limit=100&after=${next}`)).json as {
    vms: { hostname: string }[];
  };
  const names = [...vms, ...rest.vms].map(({ hostname }) => hostname);
  t.equal(names.length, 19, 'all rows but the two');
  t.notOk(names.includes('vm-7'));
  const bad = lines.filter(({ msg }) => msg.includes('cannot be read'));
  t.match(bad, [{ hostname: 'vm-7', level: 50 }, { level: 50 }], 'each is named once');
  t.equal(bad.length, 2);
  t.same((await readSetAside(gateway.url))[0], 'lablink_set_aside{kind="row"} 2');
  t.match(await findingIds(database), ['encoding', 'unreadable_rows']);

  for (const [method, body] of [['GET'], ['PUT'], ['PATCH', { status: 'available' }]] as const)
    t.match(await api(method, '/v1/vms/vm-7', body), {
      status: 409,
      json: { code: 'unreadable_row' },
    });
  const events = (await api('GET', '/v1/events?limit=100')).json as { events: { op: string }[] };
  t.equal(events.events.length, 20, 'all events but the two');

  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  await agent.nextMessage('status');
  t.match(await api('POST', '/v1/assignments', { email: 'ada@x.y' }), { status: 201 });
  await agent.nextMessage('assignment');
  for (let n = 2; n <= 20; n++)
    t.match(await api('POST', '/v1/assignments', { email: `person-${n}@x.y` }), { status: 201 });
  t.match(await api('POST', '/v1/assignments', { email: 'late@x.y' }), { status: 409 });
  await until('its presence is read', async () => {
    const page = (await api('GET', '/v1/vms')).json as { presence: { hostname: string }[] };
    return page.presence.some(({ hostname }) => hostname === 'vm-1');
  });

  // While the gateway listens, PostgreSQL cannot send it the notification of such a change.
  await database.query(`UPDATE vms SET crd_command = chr(253) WHERE hostname = 'vm-3'`);
  await database.query(`UPDATE vms SET crd_command = 'later' WHERE hostname = 'vm-1'`);
  t.match(
    await agent.next(
      ({ vm }) => (vm as { crd_command?: string } | undefined)?.crd_command === 'later',
    ),
    {
      type: 'assignment',
    },
  );
  await gateway.ready();
  await until('it is named', () =>
    lines.some(({ hostname, msg }) => hostname === 'vm-3' && msg.includes('read')),
  );

  t.match(await api('DELETE', '/v1/vms/vm-7'), { status: 204 }, 'it can be deleted');
  await database.query(`UPDATE vms SET crd_command = NULL WHERE hostname = 'vm-3'`);
  await database.query(`DELETE FROM vms WHERE id = (SELECT max(id) FROM vms)`);
  await until('both are mended', async () => {
    return (await readSetAside(gateway.url))[0] === 'lablink_set_aside{kind="row"} 0';
  });
  t.equal(((await api('GET', '/v1/vms?limit=100')).json as { vms: unknown[] }).vms.length, 19);
  t.match(await findingIds(database), ['encoding']);
});
