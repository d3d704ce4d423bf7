// Every action of every role in every way to do it, generated from the table of permissions. An
// action without a way to do it fails the test.

import t from 'tap';
import {
  PERMISSIONS,
  type Permission,
  type Scope,
  type Role,
} from '../../../src/gateway/auth/roles.js';
import { signToken } from '../../../src/gateway/auth/token.js';
import { FLEET_PATH, vmPath } from '../../../src/protocol/paths.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { connect } from '../../helpers/raw-client.js';
import { bearer, waysToAsk } from './ask.js';

const SECRET = 'the secret of this file, which has enough bytes';
const OWN = 'vm-1';
/** RFC 6750 §3.1. */
const INSUFFICIENT = 'Bearer realm="lablink-gateway", error="insufficient_scope"';
const NOBODYS = '2b1f4b1c-0d3e-4c56-9a7b-000000000000';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
await database.query(
  `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available'), ('vm-2', 'available')`,
);
const gateway = await startGateway(t, database, { jwtSecrets: [SECRET] });
const socketUrl = gateway.url.replace('http', 'ws');

type Outcome = 'allowed' | 'refused';
type Headers = Readonly<Record<string, string>>;

/** Does an action to the VM of this hostname, if the action concerns a VM. */
type Way = (headers: Headers, hostname: string) => Promise<Outcome>;

/** The ways to do an action to a given VM, and to VMs in general. */
interface Ways {
  readonly toVm?: Readonly<Record<string, Way>>;
  readonly toFleet?: Readonly<Record<string, Way>>;
}

const WAYS: Readonly<Record<Permission, Ways>> = {
  'watch-vm': { toVm: { HTTP: request('GET', vmPath), upgrade: upgrade(vmPath) } },
  'watch-fleet': {
    toFleet: {
      HTTP: request('GET', () => FLEET_PATH),
      stats: request('GET', () => '/v1/stats'),
      upgrade: upgrade(() => FLEET_PATH),
    },
  },
  'report-status': { toVm: { message: say({ type: 'status', status: 'failed' }) } },
  acknowledge: { toVm: { message: say({ type: 'ack', assignment_id: NOBODYS }) } },
  'register-vm': { toVm: { HTTP: request('PUT', vmPath) } },
  'enrol-vm': {
    toFleet: { HTTP: request('POST', () => '/v1/enrolments', { hostname: 'vm-enrolled' }) },
  },
  'allow-enrolment': {
    toVm: { HTTP: request('DELETE', (hostname) => `/v1/enrolments/${hostname}`) },
  },
  'report-end': {
    toFleet: {
      HTTP: request('PUT', () => `/v1/assignments/${NOBODYS}/end`, { outcome: 'succeeded' }),
    },
  },
  'change-vms': {
    toVm: {
      PATCH: request('PATCH', vmPath, { status: 'available' }),
      DELETE: request('DELETE', (hostname) => vmPath(`${hostname} of nobody`)),
    },
    toFleet: {
      'DELETE all': request('DELETE', () => `${FLEET_PATH}?confirm=99`),
      bulk: request('POST', () => '/v1/changes', {
        action: 'release',
        vms: [{ hostname: 'of nobody' }],
      }),
      assign: request('POST', () => '/v1/assignments', { email: 'x' }),
      release: request('DELETE', () => `/v1/assignments/${NOBODYS}`),
    },
  },
  'read-metrics': {
    toFleet: {
      HTTP: (headers, hostname) =>
        request('GET', () => '/metrics')({ ...headers, 'x-forwarded-for': '192.0.2.1' }, hostname),
    },
  },
  'read-audit': {
    toVm: { HTTP: request('GET', (hostname) => `${vmPath(hostname)}/events`) },
    toFleet: { HTTP: request('GET', () => '/v1/events') },
  },
};

function request(method: string, path: (hostname: string) => string, body?: object): Way {
  return async (headers, hostname) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(gateway.url + path(hostname), {
      method,
      headers: { ...headers, ...json },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const challenge = response.headers.get('www-authenticate');
    return classifyOutcome(response.status, await response.text(), challenge);
  };
}

function upgrade(path: (hostname: string) => string): Way {
  const { byUpgrade } = waysToAsk(gateway);
  return async (headers, hostname) => {
    const { status, code, headers: given } = await byUpgrade(path(hostname), { ...headers });
    return classifyOutcome(status, JSON.stringify({ code }), given.get('www-authenticate'));
  };
}

/** A message concerns the agent that sends it: it cannot name another VM. */
function say(message: object): Way {
  return async (headers) => {
    // A client that may not even subscribe has no socket to send the message on.
    const client = await connect(socketUrl + vmPath(OWN), [], { headers }).catch(() => undefined);
    if (client === undefined) return 'refused';
    client.send(message);
    client.send({ type: 'ping' });
    const answer = await client.next(({ type }) => type === 'error' || type === 'pong');
    await client.close();
    return answer.code === 'not_allowed' ? 'refused' : 'allowed';
  };
}

/**
 * A rejection because of the row's state means that the action was allowed. Any other failure is a
 * mistake of this test.
 */
function classifyOutcome(status: number, body: string, challenge: string | null): Outcome {
  if (status < 400) return 'allowed';
  const { code } = JSON.parse(body) as { code: string };
  if (status === 409 || (status === 404 && code !== 'not_found')) return 'allowed';
  const answer = `${status} ${code} ${challenge}`;
  if (answer === `403 not_allowed ${INSUFFICIENT}`) return 'refused';
  throw new Error(answer);
}
const ROLES: readonly Role[] = ['agent', 'dashboard', 'admin', 'enrol'];

/**
 * The outcome that the table of permissions states for a token whose `sub` is `OWN`. Without a
 * hostname: for VMs in general.
 */
function predictOutcome(action: Permission, role: Role, hostname?: string): Outcome {
  const reach: Scope = PERMISSIONS[action][role];
  return reach === 'any' || (reach === 'own' && hostname === OWN) ? 'allowed' : 'refused';
}

t.test('every action has a way to do it', async (t) => {
  t.strictSame(Object.keys(WAYS).sort(), Object.keys(PERMISSIONS).sort());
  for (const [action, { toVm, toFleet }] of Object.entries(WAYS)) {
    t.ok(Object.keys({ ...toVm, ...toFleet }).length > 0, action);
  }
});

for (const [action, { toVm = {}, toFleet = {} }] of Object.entries(WAYS) as [Permission, Ways][]) {
  for (const role of ROLES) {
    t.test(`${role}: ${action}`, async (t) => {
      const token = signToken({ role, sub: OWN, ttlSeconds: 600 }, SECRET);
      const headers = bearer(token);
      for (const [name, way] of Object.entries(toVm)) {
        const hostnames = name === 'message' ? [OWN] : [OWN, 'vm-2'];
        for (const hostname of hostnames) {
          const expected = predictOutcome(action, role, hostname);
          t.equal(await way(headers, hostname), expected, `${name} at ${hostname}: ${expected}`);
        }
      }
      for (const [name, way] of Object.entries(toFleet)) {
        const expected = predictOutcome(action, role);
        t.equal(await way(headers, ''), expected, `${name} at large: ${expected}`);
      }
    });
  }
}
