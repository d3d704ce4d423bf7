// The client on a real gateway.

import t from 'tap';
import { signToken } from '../../src/gateway/auth/token.js';
import { createClient, type OpenSocket, type ClientSocket } from '../../src/client/index.js';
import { openSocket } from '../../src/client/socket.js';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { phase } from './rows.js';

const { createDatabase } = await startServer(t);
/** Short pauses before a reconnect. */
const impatient = { random: () => 0.02 };

t.test('an agent receives its assignment, acknowledges it and reports', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const token = (): Promise<string> => gateway.token('agent', 'vm/1 ü');
  const agent = createClient({ url: gateway.url, token }, impatient).watchVm('vm/1 ü');
  t.teardown(() => agent.close());
  const refusals: string[] = [];
  agent.on('rejection', ({ code }) => refusals.push(code));

  await phase(agent, 'live');
  t.same(agent.state, { type: 'absent', hostname: 'vm/1 ü' });
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command) VALUES ('vm/1 ü', 'in-use', 'ada', $1)`,
    [`echo "$(date)"\n'`],
  );
  const { vm } = await until('it is assigned', () =>
    agent.state?.type === 'assignment' ? agent.state : undefined,
  );
  t.equal(vm.hostname, 'vm/1 ü');
  t.match(vm, { crd_command: `echo "$(date)"\n'`, email: 'ada' });

  agent.acknowledge(vm.assignment_id ?? '');
  agent.reportStatus('failed', vm.assignment_id ?? undefined);
  await until('its report comes back', () =>
    agent.state?.type === 'status' ? agent.state.vm.status === 'failed' : undefined,
  );
  t.same(refusals, []);
  agent.acknowledge('00000000-0000-4000-8000-000000000000');
  await until('a stale one is rejected', () => refusals.includes('stale_assignment'));

  const newer = createClient({ url: gateway.url, token }, impatient).watchVm('vm/1 ü');
  t.teardown(() => newer.close());
  t.match(await agent.closed, { rejected: true, code: 4409 });
  await phase(newer, 'live');
});

t.test('a dashboard converges to the table, through lost sockets and a new gateway', async (t) => {
  const database = await createDatabase();
  const first = await startGateway(t, database);
  await database.query(
    `INSERT INTO vms (hostname, status, email)
     SELECT 'vm-' || n, 'available', repeat('x', 200) FROM generate_series(1, 2000) n`,
  );
  let origin = new URL(first.url).host;
  const queries: string[] = [];
  let socket: ClientSocket | undefined;
  const runtime = {
    ...impatient,
    openSocket: async (...[url, protocols, events]: Parameters<OpenSocket>) => {
      const target = new URL(url);
      queries.push(target.search);
      target.host = origin;
      socket = await openSocket(target.href, protocols, events);
      return socket;
    },
  };
  const options = { url: first.url, token: () => first.token('dashboard') };
  const dashboard = createClient(options, runtime).watchFleet();
  t.teardown(() => dashboard.close());
  const holdsTheTable = async (): Promise<boolean> => {
    const rows = await database.query<{ hostname: string; version: string }>(
      'SELECT hostname, version FROM vms',
    );
    const held = ({ hostname, version }: (typeof rows)[number]): boolean =>
      dashboard.state.get(hostname)?.version === Number(version);
    return rows.length === dashboard.state.size && rows.every(held);
  };
  await until('it holds the table', holdsTheTable);
  t.notOk('crd_command' in (dashboard.state.get('vm-1') ?? {}), 'without commands');

  const lost = phase(dashboard, 'reconnecting');
  socket?.abandon(1000);
  await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-7'`);
  await database.query(`DELETE FROM vms WHERE hostname = 'vm-8'`);
  await lost;
  await phase(dashboard, 'live');
  await until('it has made up for what it missed', holdsTheTable);
  t.match(queries.at(-1), /^\?cursor=/, 'from its cursor');

  await first.app.close();
  await phase(dashboard, 'reconnecting');
  await database.query(`DELETE FROM vms WHERE hostname LIKE 'vm-1%'`);
  const second = await startGateway(t, database);
  origin = new URL(second.url).host;
  await until('it holds what another gateway tells', holdsTheTable);
  t.equal(dashboard.state.has('vm-1'), false);
});

t.test('a token is renewed before it expires, on the same socket', async (t) => {
  const secret = 'the secret of this test, which is of enough bytes';
  const gateway = await startGateway(t, await createDatabase(), { jwtSecrets: [secret] });
  let signed = 0;
  const token = async (): Promise<string> => {
    signed++;
    return signToken({ role: 'admin', sub: 'tester', ttlSeconds: 12 }, secret);
  };
  // Most of each lifetime is over when the client sees the token, so a busy machine renews in time.
  const early = { ...impatient, now: () => Date.now() + 9_000 };
  const watch = createClient({ url: gateway.url, token }, early).watchFleet();
  t.teardown(() => watch.close());
  const phases: string[] = [];
  watch.on('connection', (state) => phases.push(state.phase));
  // Each token is renewed after 1.6 s at the earliest: 0.8 of the 2 to 3 s that the client sees
  // left. The first token has expired by then.
  await until('it was renewed eight times', () => signed > 8);
  t.same(phases, ['connecting', 'live']);
});

t.test('a watch that is not allowed is closed, with the reason', async (t) => {
  const gateway = await startGateway(t, await createDatabase());
  const token = await gateway.token('agent', 'vm-1');
  const client = createClient({ url: gateway.url, token }, impatient);
  t.match(await client.watchVm('vm-2').closed, {
    rejected: true,
    code: 403,
    reason: /not_allowed/,
  });
  t.match(await client.watchFleet().closed, { rejected: true, code: 403 });
  const stranger = createClient({ url: gateway.url, token: 'nobody' }, impatient).watchVm('vm-1');
  t.match(await stranger.closed, { rejected: true, code: 401 });
  const lost = createClient({ url: `${gateway.url}/elsewhere`, token }, impatient).watchVm('vm-1');
  t.match(await lost.closed, { rejected: true, code: 404 });
});
