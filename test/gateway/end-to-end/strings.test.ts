// Every text arrives as it was written, every hostname has its URL, and every status and column
// passes through. A dashboard receives no column that it must not see.

import t from 'tap';
import { DASHBOARD_COLUMNS } from '../../../src/protocol/row.js';
import { vmPath } from '../../../src/protocol/paths.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { ODD_HOSTNAMES } from '../../helpers/odd-hostnames.js';
import { FleetModel, readTable, VmModel } from '../../helpers/model.js';

const { createDatabase } = await startServer(t);

const TEXTS = [
  'emoji 👩‍🔬🧪 and 𝄞',
  `quotes ' " \` and $1 $$ %s {}`,
  'backslashes \\ \\\\ \\n \\u0041 \\',
  'lines\nof\r\ntext\tand a tab',
  'separators \u2028 \u2029 \u0085 and controls \u0001 \u001f \u007f',
  'right to left: שלום مرحبا, combining: e\u0301 Å',
  '</script><!-- ${x} -->; DROP TABLE vms; --',
  '\uFEFF at the start, \uFFFD \uFFFF',
];

t.test('texts arrive as they were written, by notification and by read', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const admin = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  for (const [n, text] of TEXTS.entries()) {
    await database.query(
      `INSERT INTO vms (hostname, status, email, crd_command) VALUES ($1, 'in-use', $2, $2::varchar)`,
      [`vm-${n}`, text],
    );
    // This text is too large for a payload, so the gateway reads the row.
    await database.query(
      `INSERT INTO vms (hostname, status, email, crd_command) VALUES ($1, 'in-use', $2, $3)`,
      [`large-${n}`, text, text.repeat(500)],
    );
  }
  await admin.untilTable(database);
  for (const [n, text] of TEXTS.entries()) {
    const agent = await gateway.connect(`/v1/vms/vm-${n}`, 'agent', `vm-${n}`);
    const { vm } = await agent.nextMessage('assignment');
    t.match(vm, { email: text, crd_command: text }, `text ${n}`);
    t.same(admin.rows.get(`vm-${n}`), vm);
    t.equal(admin.rows.get(`large-${n}`)?.crd_command, text.repeat(500));
    const response = await gateway.fetch(`/v1/vms/vm-${n}`, 'agent', `vm-${n}`);
    t.same(await response.json(), vm);
    await agent.close();
  }
});

t.test('every hostname has its URL, over HTTP and as WebSocket', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  for (const hostname of ODD_HOSTNAMES) {
    const path = vmPath(hostname);
    const name = JSON.stringify(hostname).slice(0, 30);
    // A header holds only Latin-1, but the token in it is base64.
    const agent = new VmModel(await gateway.connect(path, 'agent', hostname), hostname);
    await agent.untilTable(database);
    t.equal(agent.vm, null, `${name} is absent at first`);
    const missing = await gateway.fetch(path, 'agent', hostname);
    t.same([missing.status, await missing.json()], [404, vmNotFound], `${name} is not found`);

    await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [hostname]);
    await agent.untilTable(database);
    t.match(agent.vm, { hostname, status: 'available' }, `${name} is pushed`);
    const found = await gateway.fetch(path, 'agent', hostname);
    t.same(await found.json(), agent.vm, `${name} is found`);
    t.equal(found.headers.get('etag'), `"${String(agent.vm?.version)}"`);

    await database.query('DELETE FROM vms WHERE hostname = $1', [hostname]);
    await agent.untilTable(database);
    t.equal(agent.vm, null, `${name} is absent again`);
    await agent.client.close();
  }
});

t.test('a hostname that looks like SQL is only a hostname', async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use'), ('vm-2', 'failed')`,
  );
  const before = await readTable(database);
  const gateway = await startGateway(t, database);
  for (const hostname of [
    `x' OR 'a'='a`,
    `x'; DELETE FROM vms; --`,
    `'; UPDATE vms SET status = 'failed'; --`,
    '$1',
    `\\'; TRUNCATE vms; --`,
    'vm-%',
  ]) {
    const path = vmPath(hostname);
    t.same(await (await gateway.fetch(path, 'admin')).json(), vmNotFound, hostname);
    const query = `?email=${encodeURIComponent(hostname)}&status=${encodeURIComponent(hostname)}`;
    const found = await gateway.fetch(`/v1/vms${query}`, 'admin');
    t.same(await found.json(), { vms: [], presence: [], next: null });
    const agent = await gateway.connect(path, 'agent', hostname);
    t.match(await agent.nextMessage('absent'), { hostname });
    agent.send({ type: 'status', status: 'failed' });
    t.match(await agent.nextMessage('error'), { code: 'not_allowed' });
    await agent.close();
  }
  t.same(await readTable(database), before);
});

const vmNotFound = {
  type: 'about:blank',
  title: 'Not Found',
  status: 404,
  code: 'vm_not_found',
  detail: 'There is no VM of this hostname.',
};

t.test('an unknown status passes through', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const agent = new VmModel(await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1'), 'vm-1');
  const dashboard = FleetModel.ofDashboard(await gateway.connect('/v1/vms', 'dashboard'));
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'initializing')`);
  for (const status of ['running', 'rebooting 🔁', '', 'In-Use', 'x'.repeat(50)]) {
    await database.query('UPDATE vms SET status = $1', [status]);
    await agent.untilTable(database);
    await dashboard.untilTable(database);
    t.equal(agent.vm?.status, status);
  }
});

const COLUMNS = `
  ADD COLUMN note json, ADD COLUMN page xml, ADD COLUMN place point,
  ADD COLUMN doubled int GENERATED ALWAYS AS (id * 2) STORED, ADD COLUMN "quoted "" name" text,
  ADD COLUMN seen timestamptz, ADD COLUMN raw bytea, ADD COLUMN huge numeric`;

const FILLED = `
  INSERT INTO vms (hostname, status, crd_command, note, page, place, "quoted "" name", seen, raw, huge)
  VALUES ('vm-1', 'in-use', 'the secret', '{"b": 1, "a": [1.50, "é"]}', '<a>1</a>', '(1,2)', 'x',
          '2025-01-15 10:30+09', '\\xdeadbeef', 123456789012345678901234567890)`;

t.test('an unknown column reaches admins, and dashboards only if configured', async (t) => {
  const database = await createDatabase();
  await database.query(`ALTER TABLE vms ${COLUMNS}`);
  const dashboardColumns = [...DASHBOARD_COLUMNS, 'note', 'doubled', 'not there'];
  const usual = await startGateway(t, database);
  const configured = await startGateway(t, database, { dashboardColumns });
  const admin = FleetModel.ofAdmin(await usual.connect('/v1/vms', 'admin'));
  const dashboard = FleetModel.ofDashboard(await usual.connect('/v1/vms', 'dashboard'));
  const curious = await configured.connect('/v1/vms', 'dashboard');

  await database.query(FILLED);
  await admin.untilTable(database);
  await dashboard.untilTable(database);
  t.match(admin.rows.get('vm-1'), {
    note: { b: 1, a: [1.5, 'é'] },
    page: '<a>1</a>',
    place: '(1,2)',
    doubled: 2,
    'quoted " name': 'x',
    seen: '2025-01-15T01:30:00+00:00',
    raw: '\\xdeadbeef',
  });
  const { changes } = await curious.next(({ changes }) =>
    JSON.stringify([changes]).includes('vm-1'),
  );
  const [change] = changes as { vm: object }[];
  const table = await readTable(database, dashboardColumns);
  t.same(change?.vm, table.get('vm-1'));
  t.match(change?.vm, { note: { b: 1, a: [1.5, 'é'] }, doubled: 2 });
});

t.test('no message to a dashboard contains crd_command', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const before = await gateway.connect('/v1/vms', 'dashboard');
  const { cursor } = await before.nextMessage('snapshot');
  const one = new VmModel(await gateway.connect('/v1/vms/vm-1', 'dashboard'), 'vm-1');
  await database.query(
    `INSERT INTO vms (hostname, status, crd_command) VALUES ('vm-1', 'available', 'the secret')`,
  );
  await database.query(`UPDATE vms SET status = 'in-use'`);
  await database.query(`UPDATE vms SET crd_command = repeat('the secret', 2000)`);
  await database.query(`UPDATE vms SET status = 'failed'`);
  await FleetModel.ofDashboard(before).untilTable(database);
  const after = await gateway.connect('/v1/vms', 'dashboard');
  await FleetModel.ofDashboard(after).untilTable(database);
  const resumed = await gateway.connect(`/v1/vms?cursor=${String(cursor)}`, 'dashboard');
  await resumed.nextMessage('changes');
  await one.client.next(({ vm }) => (vm as { status?: string } | undefined)?.status === 'failed');

  const answers = ['/v1/vms', '/v1/vms?status=failed', '/v1/vms/vm-1'].map(async (path) => {
    const response = await gateway.fetch(path, 'dashboard');
    t.equal(response.status, 200);
    return await response.text();
  });
  const sockets = [before, after, resumed, one.client];
  const seen = [...(await Promise.all(answers)), ...sockets.map(({ messages }) => messages)];
  for (const text of seen.map((part) => JSON.stringify(part))) {
    t.match(text, 'vm-1');
    t.notMatch(text, /secret|crd_command/);
  }
});
