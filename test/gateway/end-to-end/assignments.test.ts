// A workshop begins: many users request a VM over HTTP at the same moment, and each VM's agent
// receives its user.

import t from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { createApi } from '../../helpers/api.js';

interface Row {
  readonly hostname: string;
  readonly email: string;
  readonly assignment_id: string;
}

const { createDatabase } = await startServer(t);

t.test('a hundred users request fifty VMs at once', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const api = await createApi(gateway);
  const hostnames = Array.from({ length: 50 }, (_, n) => `vm-${n}`);
  for (const hostname of hostnames) {
    t.equal((await api('PUT', `/v1/vms/${hostname}`)).status, 201);
  }
  const agents = await Promise.all(
    hostnames.map((hostname) => gateway.connect(`/v1/vms/${hostname}`, 'agent', hostname)),
  );
  const ask = (n: number) =>
    api('POST', '/v1/assignments', { email: `p${n}@x.y`, crd_command: `run ${n}` });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => ask(n)));
  const given = answers.filter(({ status }) => status === 201).map(({ json }) => json as Row);
  t.equal(given.length, 50);
  t.same(given.map(({ hostname }) => hostname).sort(), [...hostnames].sort(), 'none twice');
  const refused = answers.filter(({ status }) => status !== 201).map(({ json }) => json);
  const none = { status: 409, code: 'no_vm_available', counts: { 'in-use': 50 } };
  t.match(refused, Array(50).fill(none));

  const told = await Promise.all(agents.map((agent) => agent.nextMessage('assignment')));
  const seen = told.map(({ vm }) => vm as Row);
  for (const row of given) t.ok(seen.some((vm) => vm.assignment_id === row.assignment_id));

  const person = given[0]?.email;
  const again = await Promise.all(
    Array.from({ length: 24 }, () => api('POST', '/v1/assignments', { email: person })),
  );
  for (const { status, json } of again) t.same([status, json], [200, given[0]]);
});

t.test('a user who sends many requests at once gets one VM', async (t) => {
  const gateway = await startGateway(t, await createDatabase());
  const api = await createApi(gateway);
  for (let n = 0; n < 30; n++) await api('PUT', `/v1/vms/vm-${n}`);
  for (let round = 0; round < 5; round++) {
    const email = `p${round}@x.y`;
    const asking = Array.from({ length: 24 }, () => api('POST', '/v1/assignments', { email }));
    const statuses = (await Promise.all(asking)).map(({ status }) => status).sort();
    t.same(statuses, [...Array<number>(23).fill(200), 201]);
    const page = await api('GET', `/v1/vms?email=${email}`);
    t.equal((page.json as { vms: unknown[] }).vms.length, 1);
  }
});

t.test('a released VM goes to the next user, and a late release changes nothing', async (t) => {
  const gateway = await startGateway(t, await createDatabase());
  const api = await createApi(gateway);
  await api('PUT', '/v1/vms/vm-1');
  const ada = await api('POST', '/v1/assignments', { email: 'ada@x.y', crd_command: 'run' });
  const release = `/v1/assignments/${(ada.json as Row).assignment_id}`;
  const freed = await api('DELETE', release);
  t.match(freed, { status: 200, json: { status: 'available', email: null, crd_command: null } });
  t.equal((await api('POST', '/v1/assignments', { email: 'bob@x.y' })).status, 201);
  for (let n = 0; n < 3; n++) {
    t.match(await api('DELETE', release), {
      status: 404,
      json: { code: 'assignment_not_found' },
    });
  }
  t.match((await api('GET', '/v1/vms/vm-1')).json, { status: 'in-use', email: 'bob@x.y' });
});

t.test('exactly one of many PATCHes with the same If-Match succeeds', async (t) => {
  const gateway = await startGateway(t, await createDatabase());
  const api = await createApi(gateway);
  let tag = (await api('PUT', '/v1/vms/vm-1')).headers.get('etag') ?? '';
  for (let round = 0; round < 5; round++) {
    const body = (n: number) => ({ status: 'in-use', email: `p${round}.${n}@x.y`, reassign: true });
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, n) =>
        api('PATCH', '/v1/vms/vm-1', body(n), { 'if-match': tag }),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    t.same(statuses, [200, ...Array<number>(23).fill(412)]);
    const tags = new Set(answers.map(({ headers }) => headers.get('etag')));
    t.equal(tags.size, 1, 'the refused are told the version that there is');
    tag = [...tags][0] ?? '';
  }
});
