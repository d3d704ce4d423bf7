// The schemas of the routes of VMs.

import { Type, type TSchema } from 'typebox';
import { SETTABLE_STATUSES } from '../../database/decide-change.js';
import { SORTS } from '../../database/vms.js';
import { Presence } from '../../../protocol/presence.js';
import { DashboardVm, Vm } from '../../../protocol/row.js';
import { EVENT_STREAM } from '../request/accept.js';
import { examplePresence, exampleVm } from './examples.js';
import { CrdCommand, Email, Limit, LinkHeader, Next, EtagHeader } from './shared.js';

const EventStream = Type.String({
  description:
    'Server-Sent Events. The data of an event is a message of protocol v1; its id is the cursor, if the message has any. The last event has the type `close`.',
  examples: ['data: {"type":"welcome","protocol":"lablink.v1",…}\n\n'],
});

export const ListVmsQuery = Type.Object(
  {
    status: Type.Optional(Type.String({ maxLength: 50, examples: ['available'] })),
    email: Type.Optional(Email),
    sort: Type.Optional(
      Type.Enum([...SORTS], { default: 'id', description: 'A `-` means the latest first.' }),
    ),
    limit: Limit,
    after: Type.Optional(
      Type.String({
        description: 'The `next` of the previous page, with the same sort and filters.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({ description: 'For WebSockets and event streams: where to resume.' }),
    ),
  },
  { additionalProperties: false },
);

export const GetVmQuery = Type.Object(
  {
    wait: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 60,
        description: 'How long to wait for a version other than `version`, in seconds.',
      }),
    ),
    version: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
        description: 'With `wait`: the version that the client has; 0 if it has none.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const ChangeBody = Type.Object(
  {
    status: Type.Optional(
      Type.String({
        description: `One of ${SETTABLE_STATUSES.join(', ')}. \`available\` removes person and command, \`in-use\` needs an email, \`failed\` keeps the person.`,
        examples: [...SETTABLE_STATUSES],
      }),
    ),
    email: Type.Optional(Email),
    crd_command: Type.Optional(
      Type.Union([CrdCommand, Type.Null()], {
        description:
          'If it is missing, a VM that is assigned has no command, never that of the previous person.',
      }),
    ),
    reassign: Type.Optional(
      // Without `default`, because generators of clients would require the member then.
      Type.Boolean({
        description: 'Whether to take the VM from another person; false if missing.',
      }),
    ),
  },
  {
    title: 'VmChange',
    additionalProperties: false,
    minProperties: 1,
    examples: [
      { status: 'in-use', email: 'ada@example.com', crd_command: 'start-host --code=4/0AX4XfWh' },
    ],
  },
);

export const IfMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      description:
        'The `ETag` of a row: the change is made only if the row still has this version.',
      examples: ['"17"'],
    }),
  ),
});

export const OnlyNew = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({
      description: '`*`: a VM that is registered already is answered with 412.',
      examples: ['*'],
    }),
  ),
});

export const IfNoneMatch = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({
      description: 'The `ETag` that the client has: the answer is 304 if the row still has it.',
      examples: ['"17"'],
    }),
  ),
});

export const ClearQuery = Type.Object(
  {
    confirm: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'The number of VMs. If there are more or fewer, nothing is deleted.',
    }),
  },
  { additionalProperties: false },
);

/**
 * Describes a response that is a row.
 * @param schema `Vm` if only roles that see all columns have the route
 */
export function describeVm(description: string, schema: TSchema = Vm, headers: object = {}) {
  return {
    description,
    headers: { ETag: EtagHeader, ...headers },
    content: { 'application/json': { schema, example: exampleVm } },
  };
}

/** The row as the role of the client sees it. */
const AnyVm = Type.Union([Vm, DashboardVm]);

export const VmResponse = describeOrStream(
  describeVm('The row. Dashboards never see `crd_command`.', AnyVm),
);

const VmPage = Type.Object(
  { vms: Type.Array(AnyVm), presence: Type.Array(Presence), next: Next },
  {
    title: 'VmPage',
    examples: [{ vms: [exampleVm], presence: [examplePresence], next: '1' }],
  },
);

export const VmPageResponse = describeOrStream({
  description: 'A page of rows, and the presence of their agents.',
  headers: { Link: LinkHeader },
  content: { 'application/json': { schema: VmPage } },
});

/** The header with which a client of an event stream resumes by itself. */
export const LastEventId = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      description: 'For event streams: the id of the last event, which is the cursor to resume at.',
    }),
  ),
});

/** Adds to a response the event stream for a client that accepts it. */
function describeOrStream<T extends { description: string; content: object }>(response: T) {
  return {
    ...response,
    description: `${response.description} Or, with \`Accept: text/event-stream\`, the messages of a WebSocket at this URL, each as an event.`,
    content: { ...response.content, [EVENT_STREAM]: { schema: EventStream } },
  };
}

export const ClearVmsResponse = Type.Object(
  { deleted: Type.Integer() },
  { title: 'DeletedVms', description: 'All VMs are deleted.', examples: [{ deleted: 12 }] },
);

export const StatsResponse = Type.Object(
  {
    total: Type.Integer(),
    assigned: Type.Integer({ description: 'The number of VMs that have a person.' }),
    by_status: Type.Record(Type.String(), Type.Integer()),
  },
  {
    title: 'Stats',
    description: 'The numbers, all of the same moment.',
    examples: [{ total: 3, assigned: 1, by_status: { available: 2, 'in-use': 1 } }],
  },
);
