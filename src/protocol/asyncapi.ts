// Builds the AsyncAPI 3 document of protocol v1: the schemas of messages.ts, the messages that each
// URL sends and receives, and the close codes. Pure; the schemas are never repeated here.

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
  FeedMessage,
  Ping,
  Pong,
  Snapshot,
  StatusChange,
  StatusReport,
  SUBPROTOCOL,
  Welcome,
} from './messages.js';
import { FLEET_PATH } from './paths.js';
import { LICENSE_URL, REPOSITORY_URL } from './repository.js';
import { nameSchemas, type NamedSchemas } from './name-schemas.js';

interface Message {
  readonly schema: TSchema;
  readonly summary: string;
}

/**
 * Every message by its name in the document: its `type`. `status` is sent by both sides, so the
 * client's is called `statusReport`.
 */
const MESSAGES = {
  welcome: { schema: Welcome, summary: 'Always the first message of the gateway.' },
  assignment: { schema: Assignment, summary: 'The row of the VM, which is `in-use`.' },
  status: { schema: StatusChange, summary: 'The row of the VM, which is not `in-use`.' },
  absent: {
    schema: Absent,
    summary: 'The VM has no row. This message never ends a running command.',
  },
  snapshot: {
    schema: Snapshot,
    summary: 'All VMs, in parts. The first part replaces everything the client has.',
  },
  changes: {
    schema: Changes,
    summary: 'Changes of all VMs. A frame has at most one row and one presence of a hostname.',
  },
  feed: {
    schema: FeedMessage,
    summary: 'The feed from the database became live, or is no longer live.',
  },
  error: { schema: ErrorMessage, summary: 'The last message was rejected. The socket stays open.' },
  pong: { schema: Pong, summary: 'Answers `ping`.' },
  ack: { schema: Ack, summary: 'The agent has received this assignment.' },
  statusReport: {
    schema: StatusReport,
    summary: 'The agent reports its VM `failed`, or `available` after it had failed.',
  },
  auth: {
    schema: Auth,
    summary: 'A new token of the same `sub` and `role`. Success has no reply.',
  },
  ping: { schema: Ping, summary: 'Asks for a `pong`.' },
} as const satisfies Record<string, Message>;
type MessageName = keyof typeof MESSAGES;

/** A WebSocket's URL, and the messages that the gateway sends and receives on it. */
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
    title: 'One VM. An agent may watch its own VM; dashboards and admins any VM.',
    parameters: {
      hostname: {
        description:
          'Percent-encoded. `.`, `..`, and names that look like their escaped form, get one more `~` in front.',
      },
    },
    sent: ['welcome', 'assignment', 'status', 'absent', 'feed', 'error', 'pong'],
    received: ['ack', 'statusReport', 'auth', 'ping'],
  },
  fleet: {
    address: FLEET_PATH,
    title: 'All VMs, for dashboards and admins.',
    query: {
      type: 'object',
      properties: {
        cursor: {
          type: 'string',
          description: 'The latest cursor that the client received. The gateway resumes there.',
        },
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
    description: `Browsers offer two subprotocols: ${SUBPROTOCOL}, and ${BEARER_SUBPROTOCOL_PREFIX} followed by the token.`,
  },
} as const;

/** Builds the AsyncAPI document of protocol v1, as an object to be written as JSON. */
export function createAsyncApiDocument() {
  const schemas: NamedSchemas = {};
  const payloads = mapValues(MESSAGES, ({ schema }) => nameSchemas(schema, schemas));
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'lablink-gateway',
      version: SUBPROTOCOL,
      contact: { name: 'lablink-gateway', url: REPOSITORY_URL },
      license: { name: 'MIT', url: LICENSE_URL },
      tags: [{ name: 'vms', description: 'The VMs of the fleet.' }],
      description:
        'JSON text frames over WebSocket; the URL is the subscription. With `Accept: text/event-stream` a GET of the same URL ' +
        'gives the sent messages as Server-Sent Events, with the cursor as the id of an event.',
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
      schemas: { ...schemas, ...payloads },
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

const OPERATIONS = {
  send: 'The messages that the gateway sends, and its clients receive.',
  receive: 'The messages that clients send, and the gateway receives.',
} as const;

/** `send` and `receive` are from the gateway's side (AsyncAPI 3.0, "Operation Object"). */
function describeOperation(
  action: 'send' | 'receive',
  name: string,
  messages: readonly MessageName[],
) {
  return {
    action,
    description: OPERATIONS[action],
    channel: createReference('channels', name),
    messages: messages.map((message) => createReference('channels', name, 'messages', message)),
  };
}

function createReference(...path: string[]) {
  return { $ref: `#/${path.join('/')}` };
}

function mapValues<K extends string, V, W>(
  record: Readonly<Record<K, V>>,
  map: (value: V, key: string) => W,
): Record<string, W> {
  return Object.fromEntries(
    Object.entries<V>(record).map(([key, value]) => [key, map(value, key)]),
  );
}
