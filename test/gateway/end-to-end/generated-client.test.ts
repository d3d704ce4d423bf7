// A client that is generated from the OpenAPI document has named types, compiles strictly, and
// calls a gateway.

import { symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import createTypes, { astToString } from 'openapi-typescript';
import t from 'tap';
import { compileModules } from '../../helpers/compile.js';
import { startDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { run, temporaryFolder } from '../../helpers/process.js';

/** A program as its users write it; every type that it names comes from the document. */
const PROGRAM = `import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './lablink.js';

type Vm = components['schemas']['Vm'];
type Problem = components['schemas']['Problem'];
type Assignment = components['schemas']['Assignment'];
type Event = components['schemas']['Event'];
type Presence = components['schemas']['Presence'];

const headers = { authorization: \`Bearer \${process.env.TOKEN ?? ''}\` };
// Two URLs also answer with an event stream, which this program does not request.
type Json = 'application/json' | 'application/problem+json';
const api = createClient<paths, Json>({ baseUrl: process.env.URL ?? '', headers });
const requests: string[] = [];
const log: Middleware = { onRequest: ({ schemaPath }) => void requests.push(schemaPath) };
api.use(log);

const params = { path: { hostname: 'vm-1' } };
const registered = await api.PUT('/v1/vms/{hostname}', { params });
const vm: Vm | undefined = registered.data;
const body: Assignment = { email: 'ada@example.com', crd_command: 'echo hello' };
const assigned = await api.POST('/v1/assignments', { body });
const id: string | null | undefined = assigned.data?.assignment_id;
const none = await api.POST('/v1/assignments', { body: { email: 'bob@example.com' } });
const problem: Problem | undefined = none.error;
const code: 'no_vm_available' | undefined =
  none.error?.code === 'no_vm_available' ? none.error.code : undefined;
const listed = await api.GET('/v1/vms', { params: { query: { status: 'in-use', limit: 10 } } });
const presence: Presence[] = listed.data?.presence ?? [];
const events = await api.GET('/v1/vms/{hostname}/events', { params });
const last: Event | undefined = events.data?.events[0];
const changed = await api.PATCH('/v1/vms/{hostname}', {
  params: { ...params, header: { 'if-match': assigned.response.headers.get('etag') ?? '' } },
  body: { status: 'failed' },
});
const released = await api.DELETE('/v1/assignments/{assignment_id}', {
  params: { path: { assignment_id: id ?? '' } },
});
const stats = await api.GET('/v1/stats');
// @ts-expect-error: a misspelt member is found when the program is compiled.
const misspelt = { email: 'ada@example.com', crdCommand: 'x' } satisfies Assignment;
console.log(
  JSON.stringify({
    registered: vm?.status,
    assigned: [assigned.response.status, assigned.data?.crd_command],
    problem: [problem?.status, code],
    listed: listed.data?.vms.map(({ hostname }) => hostname),
    presence: presence.map(({ online }) => online),
    last: last?.new_status,
    changed: changed.data?.status,
    released: released.data?.email,
    stats: stats.data?.total,
    requests: requests.length,
    misspelt: Object.keys(misspelt).length,
  }),
);
`;

t.test('TypeScript', async (t) => {
  const gateway = await startGateway(t, await startDatabase(t));
  const types = astToString(await createTypes(JSON.stringify(await gateway.app.describe())));
  const folder = await temporaryFolder(t);
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'lablink.d.ts'), types);
  await writeFile(join(folder, 'program.ts'), PROGRAM);
  t.same(compileModules([PROGRAM], folder).flat(), []);

  const program = run(t, process.execPath, ['--import=tsx', 'program.ts'], {
    cwd: folder,
    env: { URL: gateway.url, TOKEN: await gateway.token('admin') },
  });
  t.same(await program.exited, { code: 0, signal: null }, program.stderr);
  t.same(JSON.parse(program.stdout), {
    registered: 'available',
    assigned: [201, 'echo hello'],
    problem: [409, 'no_vm_available'],
    listed: ['vm-1'],
    presence: [false],
    last: 'in-use',
    changed: 'failed',
    released: null,
    stats: 1,
    requests: 8,
    misspelt: 2,
  });
});
