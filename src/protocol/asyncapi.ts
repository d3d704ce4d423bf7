// Protocol v1 as an AsyncAPI 3 document, for programs that read such: the schemas of messages.ts, which message goes
// which way on which URL, and the close codes. Pure; nothing is said here that the schemas can say.

import type { TSchema } from 'typebox';
import { CLOSE } from './close-codes.js';
import {
  Absent,
  Ack,
  Assignment,
  Auth,
  BEARER_SUBPROTOCOL_PREFIX,
  Changes,
  ErrorMessage,
  Feed,
  Ping,
  Pong,
  Snapshot,
  StatusChange,
  StatusReport,
  SUBPROTOCOL,
  Welcome,
} from './messages.js';
import { FLEET_PATH } from './paths.js';
import { Presence } from './presence.js';
import { DashboardVm, Vm } from './row.js';

interface Message {
  readonly schema: TSchema;
  readonly summary: string;
}

/** Every message by its name in the document: its `type`, but for the one type that both sides send. */
const MESSAGES = {
  welcome: { schema: Welcome, summary: 'Always the first message.' },
  assignment: { schema: Assignment, summary: 'One VM, `in-use`: its row.' },
  status: { schema: StatusChange, summary: 'One VM, not `in-use`: its row.' },
  absent: {
    schema: Absent,
    summary: 'One VM: there is no such row. It never ends a running command.',
  },
  snapshot: {
    schema: Snapshot,
    summary: 'All VMs, in parts; the first part replaces all that was held.',
  },
  changes: {
    schema: Changes,
    summary: 'All VMs: what changed. A row, and a presence, at most once a frame.',
  },
  feed: { schema: Feed, summary: 'The feed entered or left a gap.' },
  error: { schema: ErrorMessage, summary: 'The last message was refused; the socket stays open.' },
  pong: { schema: Pong, summary: 'Answers `ping`.' },
  ack: { schema: Ack, summary: 'An agent has got this assignment.' },
  statusReport: {
    schema: StatusReport,
    summary: 'An agent reports its VM `failed`, or `available` again after that.',
  },
  auth: { schema: Auth, summary: 'A fresh token of the same `sub` and `role`. Success is silent.' },
  ping: { schema: Ping, summary: 'Answered by `pong`.' },
} as const satisfies Record<string, Message>;
type MessageName = keyof typeof MESSAGES;

/** What many messages hold, once. */
const SHARED = { row: Vm, dashboardRow: DashboardVm, presence: Presence } as const;

/** A WebSocket's URL, and what goes each way on it. */
interface Subscription {
  readonly address: string;
  readonly title: string;
  readonly parameters?: object;
  readonly query?: object;
  readonly sent: readonly MessageName[];
  readonly received: readonly MessageName[];
}

const SUBSCRIPTIONS: Readonly<Record<'vm' | 'fleet', Subscription>> = {
  vm: {
    address: `${FLEET_PATH}/{hostname}`,
    title: 'One VM: an agent its own, dashboards and admins any.',
    parameters: {
      hostname: {
        description:
          'Percent-encoded; `.` and `..`, and what looks like them so written, with one `~` in front.',
      },
    },
    sent: ['welcome', 'assignment', 'status', 'absent', 'feed', 'error', 'pong'],
    received: ['ack', 'statusReport', 'auth', 'ping'],
  },
  fleet: {
    address: FLEET_PATH,
    title: 'All VMs: dashboards and admins.',
    query: {
      type: 'object',
      properties: {
        cursor: { type: 'string', description: 'The latest that was sent: resumes there.' },
      },
    },
    sent: ['welcome', 'snapshot', 'changes', 'feed', 'error', 'pong'],
    received: ['auth', 'ping'],
  },
};

const SECURITY = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  browser: {
    type: 'httpApiKey',
    in: 'header',
    name: 'Sec-WebSocket-Protocol',
    description: `Browsers offer two subprotocols: ${SUBPROTOCOL}, and ${BEARER_SUBPROTOCOL_PREFIX} with the token behind it.`,
  },
} as const;

/** The document, ready to be written as JSON. */
export function createAsyncApiDocument() {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'lablink-gateway',
      version: SUBPROTOCOL,
      description: 'JSON text frames over WebSocket; the URL is the subscription.',
    },
    defaultContentType: 'application/json',
    servers: { plain: describeServer('ws'), encrypted: describeServer('wss') },
    channels: mapValues(SUBSCRIPTIONS, describeChannel),
    operations: Object.fromEntries(
      Object.entries(SUBSCRIPTIONS).flatMap(([name, { sent, received }]) => [
        [`${name}.send`, describeOperation('send', name, sent)],
        [`${name}.receive`, describeOperation('receive', name, received)],
      ]),
    ),
    components: {
      schemas: { ...SHARED, ...mapValues(MESSAGES, ({ schema }) => replaceShared(schema)) },
      messages: mapValues(MESSAGES, ({ summary }, name) => ({
        name,
        summary,
        payload: createReference('components', 'schemas', name),
      })),
      securitySchemes: SECURITY,
    },
    'x-close-codes': Object.values(CLOSE),
  };
}

function describeServer(protocol: 'ws' | 'wss') {
  return {
    host: '{host}',
    protocol,
    variables: { host: { default: '127.0.0.1:8080' } },
    security: Object.keys(SECURITY).map((name) =>
      createReference('components', 'securitySchemes', name),
    ),
  };
}

function describeChannel({ sent, received, query, ...described }: Subscription) {
  const messages = [...sent, ...received];
  return {
    ...described,
    messages: Object.fromEntries(
      messages.map((name) => [name, createReference('components', 'messages', name)]),
    ),
    bindings: { ws: { method: 'GET', query, bindingVersion: '0.1.0' } },
  };
}

/** `send` and `receive` are what the gateway does (AsyncAPI 3.0, "Operation Object"). */
function describeOperation(
  action: 'send' | 'receive',
  name: string,
  messages: readonly MessageName[],
) {
  return {
    action,
    channel: createReference('channels', name),
    messages: messages.map((message) => createReference('channels', name, 'messages', message)),
  };
}

function createReference(...path: string[]) {
  return { $ref: `#/${path.join('/')}` };
}

/** The schema with what is shared named instead of repeated. */
function replaceShared(schema: TSchema): unknown {
  const shared = new Map<unknown, unknown>(
    Object.entries(SHARED).map(([name, row]) => [
      row,
      createReference('components', 'schemas', name),
    ]),
  );
  return JSON.parse(JSON.stringify(schema, (_key, value: unknown) => shared.get(value) ?? value));
}

function mapValues<K extends string, V, W>(
  record: Readonly<Record<K, V>>,
  map: (value: V, key: string) => W,
): Record<string, W> {
  return Object.fromEntries(
    Object.entries<V>(record).map(([key, value]) => [key, map(value, key)]),
  );
}
