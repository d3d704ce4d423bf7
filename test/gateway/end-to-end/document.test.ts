// The OpenAPI document is valid by the specification's schema, complete, and served where users
// look for it.

import { Ajv2020 } from 'ajv/dist/2020.js';
import { Validator } from '@seriousme/openapi-schema-validator';
import t from 'tap';
import { PROBLEMS } from '../../../src/gateway/http/problems/problem.js';
import { startDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { listOperations, resolveSchemas, type Media, type OpenApi } from './operations.js';

const gateway = await startGateway(t, await startDatabase(t));
const document = (await gateway.app.describe()) as OpenApi;
const operations = listOperations(document);

const ROUTES = [
  'GET /health/live',
  'GET /health/ready',
  'GET /v1/vms',
  'DELETE /v1/vms',
  'GET /v1/vms/{hostname}',
  'PUT /v1/vms/{hostname}',
  'PATCH /v1/vms/{hostname}',
  'DELETE /v1/vms/{hostname}',
  'GET /v1/vms/{hostname}/events',
  'POST /v1/changes',
  'POST /v1/assignments',
  'DELETE /v1/assignments/{assignment_id}',
  'POST /v1/enrolments',
  'POST /v1/sign-ins',
  'DELETE /v1/enrolments/{hostname}',
  'GET /v1/events',
  'GET /v1/stats',
];

t.test('it is OpenAPI 3.1', async (t) => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate({ ...document });
  t.equal(valid, true, JSON.stringify(errors));
  t.equal(validator.version, '3.1');
});

t.test('every route is in it, with a unique name and a description of every answer', async (t) => {
  const routes = operations.map(({ method, path }) => `${method} ${path}`);
  for (const route of ROUTES) t.ok(routes.includes(route), route);
  const names = operations.map(({ operationId }) => operationId);
  t.equal(new Set(names).size, operations.length);
  for (const { operationId, responses } of operations) {
    for (const [status, { description }] of Object.entries(responses)) {
      t.notMatch(description, /^(Default Response)?$/, `${operationId} ${status}`);
    }
  }
});

t.test('what clients exchange has a name', async (t) => {
  t.same(Object.keys(document.components.schemas).sort(), [
    ...[
      'Assignment',
      'AssignmentDelivery',
      'BulkChange',
      'BulkResult',
      'DashboardVm',
      'DeletedVms',
    ],
    ...['Deliveries', 'Delivery'],
    ...['EndReport', 'Enrolment', 'EnrolmentRequest', 'Event', 'EventPage', 'Health', 'Presence'],
    ...['Problem', 'SignIn', 'SignInRequest', 'Stats', 'Vm', 'VmChange', 'VmPage'],
  ]);
  for (const { operationId, requestBody, responses } of Object.values(document.paths).flatMap(
    (methods) => Object.values(methods),
  )) {
    const media = [requestBody, ...Object.values(responses)].flatMap(
      (described) => described?.content?.['application/json'] ?? [],
    );
    for (const { schema } of media)
      t.match(JSON.stringify(schema), '"$ref":"#/components/schemas/', operationId);
  }
});

t.test('every problem is in it, under its status', async (t) => {
  t.same(document.components.schemas.Problem?.properties?.code?.enum, Object.keys(PROBLEMS));
  const named = new Set<string>();
  for (const { operationId, responses } of operations) {
    for (const [status, { content }] of Object.entries(responses)) {
      const codes = content?.['application/problem+json']?.schema.properties?.code?.enum ?? [];
      for (const code of codes) {
        named.add(String(code));
        const about = PROBLEMS[code as keyof typeof PROBLEMS];
        t.equal(String(about.status), status, `${operationId} ${String(code)}`);
      }
    }
  }
  // The document states once, for all URLs, that these may occur.
  const anywhere = [
    'not_found',
    'method_not_allowed',
    'request_timeout',
    'too_many_requests',
    'headers_too_large',
    'range_not_satisfiable',
  ];
  t.same([...named, ...anywhere].sort(), Object.keys(PROBLEMS).sort());
  for (const code of anywhere) t.match(document.components.schemas.Problem?.description, code);
});

t.test('examples fit their own schemas', async (t) => {
  const ajv = new Ajv2020({ strict: false });
  let count = 0;
  const check = (schema: object, example: unknown, where: string): void => {
    count++;
    t.ok(ajv.validate(schema, example), `${where}: ${ajv.errorsText()}`);
  };
  const walk = (node: unknown, where: string): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('examples' in node && Array.isArray(node.examples)) {
      for (const example of node.examples) check(node, example, where);
    }
    if ('example' in node && 'schema' in node) check(node.schema as object, node.example, where);
    for (const [name, child] of Object.entries(node)) walk(child, `${where}/${name}`);
  };
  walk(resolveSchemas(document).paths, '');
  t.ok(count > 20, `${count} examples`);
});

t.test('every body of a request or an answer has an example', async (t) => {
  const exemplified = ({ schema, example }: Media): boolean =>
    example !== undefined || (schema.examples ?? []).length > 0;
  for (const { operationId, requestBody, responses } of operations) {
    for (const media of Object.values(requestBody?.content ?? {}))
      t.ok(exemplified(media), `the body of ${operationId}`);
    for (const [status, { content = {} }] of Object.entries(responses)) {
      for (const media of Object.values(content))
        t.ok(exemplified(media), `${operationId} ${status}`);
    }
  }
});

t.test('each operation says whether it needs a token', async (t) => {
  for (const { path, security } of operations) {
    // A client on the same machine reads the metrics without a token.
    const own: Readonly<Record<string, unknown>> = {
      '/health/live': [],
      '/health/ready': [],
      '/metrics': [{ bearer: [] }, {}],
      '/v1/sign-ins': [],
    };
    t.same(security, own[path], path);
  }
  t.match(document, { security: [{ bearer: [] }] });
});

t.test('a page shows it over plain HTTP, without resources of other sites', async (t) => {
  const page = await fetch(`${gateway.url}/docs`);
  t.equal(page.status, 200);
  t.match(page.headers.get('content-type'), /^text\/html/);
  const policy = page.headers.get('content-security-policy') ?? '';
  t.match(policy, /default-src 'self'/);
  t.notMatch(policy, /upgrade-insecure-requests|https:|unsafe-eval/);
  const html = await page.text();
  const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '');
  t.ok(assets.length > 3);
  for (const asset of assets) {
    const url = new URL(asset, page.url);
    t.equal(url.origin, gateway.url);
    t.equal((await fetch(url)).status, 200, asset);
  }
  t.same(await (await fetch(`${gateway.url}/docs/json`)).json(), document);
});
