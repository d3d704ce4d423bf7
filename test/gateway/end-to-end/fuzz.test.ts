// Every operation of the document, called with valid and broken requests, answers as documented,
// never fails with an error of its own, and keeps serving.

import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import t from 'tap';
import { PROBLEMS } from '../../../src/gateway/http/problems/problem.js';
import { startDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { anyHostileText, broken, CURRENT_ASSIGNMENT, valid } from './arbitraries.js';
import {
  listOperations,
  type OpenApi,
  type Parameter,
  type RoutedOperation,
} from './operations.js';

/** Requests sent at the same time, so that they collide in the database. */
const AT_ONCE = 8;
const ROUNDS = 30;
const SEED = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31);

const database = await startDatabase(t);
const gateway = await startGateway(t, database);
const document = (await gateway.app.describe()) as OpenApi;
const operations = listOperations(document);
const connections = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
t.teardown(() => connections.destroy());
t.comment(`seed ${SEED}: TEST_SEED=${SEED} repeats it`);

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

async function send({ method, path, headers, body }: Sent): Promise<Answer> {
  const asking = request(gateway.url + path, { method, headers, agent: connections });
  asking.end(body);
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
  const [type = ''] = (response.headers['content-type'] ?? '').split(';');
  return { status: response.statusCode ?? 0, type, headers: response.headers, text };
}

const tokens = await Promise.all([
  ...(['admin', 'dashboard', 'agent'] as const).map((role) => gateway.token(role, 'vm-1')),
]);
const [admin = ''] = tokens;
/** Only the agent that holds the current assignment may report its end. */
const assignee = await gateway.token('agent', 'vm-3');
/** Mostly a token that may call the operation. */
const authorizationFor = ({ operationId }: RoutedOperation): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.constant(`Bearer ${operationId === 'reportEnd' ? assignee : admin}`),
    },
    { weight: 1, arbitrary: fc.constantFrom(...tokens.map((token) => `Bearer ${token}`)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', 'Bearer', 'Bearer x.y.z', `Bearer ${admin}x`, 'Basic x'),
    },
  );

const toText = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);
const LONE_SURROGATE = /[\uD800-\uDFFF]/gu;
/** Encodes a value for a URL; text without a UTF-8 form becomes an invalid byte. */
const encoded = (value: unknown): string =>
  toText(value).replaceAll(LONE_SURROGATE, '�').split('�').map(encodeURIComponent).join('%ff');
/** A `.` or `..` would move up the path, so it is no hostname, as the document says. */
const toSegment = (value: unknown): string => encoded(value).replace(/^\.\.?$/, '~$&');
/** The characters that Node accepts in a header. */
const headerText = (value: unknown): string => toText(value).replaceAll(/[^\t\x20-\x7e]/g, '?');

interface Values {
  readonly parameters: readonly (readonly [Parameter, unknown])[];
  readonly body: string | undefined;
  readonly contentType: string;
}

const fitting = (parameter: Parameter): fc.Arbitrary<unknown> =>
  parameter.required
    ? valid(parameter.schema)
    : fc.option(valid(parameter.schema), { nil: undefined, freq: 1 });

/**
 * The values of a request. Either all fit, or a single value is broken, so that its own check is
 * reached.
 */
function generateValues(operation: RoutedOperation): fc.Arbitrary<Values> {
  const { parameters = [] } = operation;
  const breaking = parameters.map((_, at) => withBroken(operation, at));
  const body = withBroken(operation, BODY);
  return fc.oneof(
    { weight: parameters.length + 1, arbitrary: withBroken(operation, undefined) },
    ...[...breaking, body],
  );
}

const BODY = -1;

function withBroken(operation: RoutedOperation, broke: number | undefined): fc.Arbitrary<Values> {
  const { parameters = [], requestBody } = operation;
  const values = parameters.map((parameter, at) => {
    const value = at === broke ? broken(parameter.schema) : fitting(parameter);
    return value.map((chosen) => [parameter, chosen] as const);
  });
  const { schema, example } = requestBody?.content['application/json'] ?? {};
  const asText = (value: unknown): string => JSON.stringify(value);
  const json = fc.constant('application/json');
  const none: fc.Arbitrary<string | undefined> = fc.constant(undefined);
  const good =
    schema === undefined ? none : fc.oneof(fc.constant(example), valid(schema)).map(asText);
  const bad = fc.oneof(
    { weight: 3, arbitrary: schema === undefined ? none : broken(schema).map(asText) },
    ...[anyHostileText, fc.json()],
  );
  const types = fc.constantFrom(
    'text/plain',
    'application/xml',
    'x',
    'application/json; charset=x',
  );
  return fc.record({
    parameters: fc.tuple(...values),
    body: broke === BODY ? bad : good,
    contentType: broke === BODY ? fc.oneof({ weight: 6, arbitrary: json }, types) : json,
  });
}

function buildRequest(operation: RoutedOperation, values: Values, authorization: string): Sent {
  const { parameters, body, contentType } = values;
  const given = parameters.filter(([, value]) => value !== undefined);
  const at = (place: Parameter['in']) => given.filter(([parameter]) => parameter.in === place);
  let { path } = operation;
  for (const [{ name }, value] of at('path'))
    path = path.replace(`{${name}}`, () => toSegment(value));
  const query = at('query').map(
    ([{ name }, value]) => `${name}=${encoded(unwaiting(name, value))}`,
  );
  const headers = at('header').map(([{ name }, value]) => [name, headerText(value)] as const);
  return {
    method: operation.method,
    path: query.length === 0 ? path : `${path}?${query.join('&')}`,
    headers: {
      ...Object.fromEntries<string>(headers),
      ...(authorization === '' ? {} : { authorization }),
      ...(body === undefined ? {} : bodyHeaders(body, contentType)),
    },
    body,
  };
}

const bodyHeaders = (body: string, type: string) => ({
  'content-type': type,
  'content-length': String(Buffer.byteLength(body)), // Node adds no length to a GET.
});

/** The test has no time to wait for changes. */
const unwaiting = (name: string, value: unknown): unknown =>
  name === 'wait' && /^[1-9]\d?$/.test(toText(value)) ? 0 : value;

const generateRequest = (operation: RoutedOperation): fc.Arbitrary<Sent> =>
  fc
    .tuple(generateValues(operation), authorizationFor(operation))
    .map(([values, token]) => buildRequest(operation, values, token));

/** The problems that any URL may answer, according to the document. */
const ANYWHERE = ['not_found', 'request_timeout', 'headers_too_large'];

/** Returns the check of an operation's answers; it throws for an undocumented answer. */
function createCheck({
  operationId,
  responses,
}: RoutedOperation): (sent: Sent, answer: Answer) => void {
  const ajv = new Ajv2020({ strict: false });
  const checks = new Map<string, ValidateFunction>();
  for (const [status, { content = {} }] of Object.entries(responses)) {
    for (const [type, { schema }] of Object.entries(content)) {
      checks.set(`${status} ${type}`, ajv.compile(schema));
    }
  }
  return ({ method, path }, { status, type, headers, text }) => {
    const fail = (why: string): never => {
      throw new Error(
        `${method} ${path.slice(0, 500)} (${operationId}) was answered ${status} ${type}, ${why}: ${text.slice(0, 500)}`,
      );
    };
    if (status >= 500) fail('a failure');
    for (const name of Object.keys(responses[status]?.headers ?? {})) {
      // The last page has no next page.
      if (name !== 'Link' && headers[name.toLowerCase()] === undefined) fail(`without ${name}`);
    }
    if (text === '') {
      if (responses[status] === undefined || responses[status].content !== undefined) fail('empty');
      return;
    }
    const body = (type.endsWith('json') ? JSON.parse(text) : text) as {
      code?: keyof typeof PROBLEMS;
    };
    if (body.code !== undefined && ANYWHERE.includes(body.code)) {
      if (PROBLEMS[body.code].status !== status) fail('another status');
      return;
    }
    const check = checks.get(`${status} ${type}`) ?? fail('which is not documented');
    if (!check(body)) fail(ajv.errorsText(check.errors));
  };
}

/** Creates rows for the requests to find; returns the current assignment. */
async function furnish(): Promise<string> {
  const [row] = await database.query<{ assignment_id: string }>(
    `INSERT INTO vms (hostname, status, email)
     VALUES ('vm-3', 'in-use', 'ada@x.y'), ('vm-1', 'available', NULL), ('vm-2', 'available', NULL)
     ON CONFLICT (hostname) DO UPDATE SET status = excluded.status, email = excluded.email
     RETURNING assignment_id`,
  );
  if (row === undefined) throw new Error('nothing was inserted');
  return row.assignment_id;
}

const naming = (sent: Sent, assignmentId: string): Sent => ({
  ...sent,
  path: sent.path.replace(CURRENT_ASSIGNMENT, assignmentId),
});

const seen = new Map<string, number>();

for (const operation of operations) {
  t.test(`${operation.operationId} answers any request as documented`, async () => {
    const check = createCheck(operation);
    const batch = fc.array(generateRequest(operation), { minLength: AT_ONCE, maxLength: AT_ONCE });
    await fc.assert(
      fc.asyncProperty(batch, async (requests) => {
        const assignmentId = await furnish();
        const sent = requests.map((wanted) => naming(wanted, assignmentId));
        const answers = await Promise.all(
          sent.map(async (one) => ({ one, answer: await send(one) })),
        );
        for (const { one, answer } of answers) {
          check(one, answer);
          const name = `${operation.operationId} ${answer.status}`;
          seen.set(name, (seen.get(name) ?? 0) + 1);
        }
      }),
      { numRuns: ROUNDS, seed: SEED, endOnFailure: true },
    );
  });
}

t.test(
  'valid requests succeeded, broken requests did not, and the gateway keeps serving',
  async (t) => {
    const statuses = (name: string): string[] =>
      [...seen.keys()].filter((key) => key.startsWith(`${name} `)).map((key) => key.slice(-3));
    for (const { operationId, security, parameters, requestBody } of operations) {
      // No generated text is a code that the gateway made.
      const succeeded = statuses(operationId).some((status) => status < '300' || status === '409');
      t.equal(succeeded, operationId !== 'signIn', operationId);
      // All requests here come from the same machine, which reads the metrics without a token.
      t.equal(statuses(operationId).includes('401'), security === undefined, operationId);
      if (parameters ?? requestBody) t.ok(statuses(operationId).includes('400'), operationId);
    }
    t.comment([...seen].map(([name, count]) => `${name}: ${count}`).join(', '));
    t.equal((await fetch(`${gateway.url}/health/ready`)).status, 200);
    await database.query('DELETE FROM vms');
    const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
    await agent.nextMessage('absent');
    const made = await send({
      ...{ method: 'PUT', path: '/v1/vms/vm-1', body: undefined },
      headers: { authorization: `Bearer ${admin}` },
    });
    t.equal(made.status, 201);
    t.match(await agent.nextMessage('status'), { vm: { hostname: 'vm-1' } });
  },
);
