// What routes take and answer: parameters, bodies and answers, once for the checks, the types and the document.

import { Type, type TSchema } from 'typebox';
import { SORTS } from '../database/vms.js';
import { STATUSES } from '../database/judgement.js';
import { AssignmentId } from '../protocol/messages.js';
import { Delivery, Outcome, Presence } from '../protocol/presence.js';
import { DashboardVm, Vm } from '../protocol/row.js';

/** A text that PostgreSQL can hold: no NUL, no half of a character; its length counted as PostgreSQL does. */
const text = (maxLength: number, options: object) =>
  Type.String({ pattern: `^[^\\u0000\\uD800-\\uDFFF]{1,${maxLength}}$`, ...options });

export const Email = text(255, {
  description: 'Names the person. Compared character by character: another case is another person.',
  examples: ['ada@example.com'],
});

export const Command = Type.String({
  pattern: '^[^\\u0000\\uD800-\\uDFFF]*$',
  description: 'What the VM runs.',
  examples: ['start-host --code=4/0AX4XfWh'],
});

export const HostnameParams = Type.Object({
  hostname: Type.String({
    description:
      'Percent-encoded. `.` and `..` are written `~.` and `~..`, because URLs cannot hold them.',
    examples: ['vm-1'],
  }),
});

export const AssignmentParams = Type.Object({ assignment_id: AssignmentId });

/** How many items a page holds unless the request says otherwise. */
export const PAGE_LIMIT = 100;

export const Limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 1000, default: PAGE_LIMIT, description: 'Of a page.' }),
);

export const FleetQuery = Type.Object(
  {
    status: Type.Optional(Type.String({ maxLength: 50, examples: ['available'] })),
    email: Type.Optional(Email),
    sort: Type.Optional(
      Type.Enum([...SORTS], { default: 'id', description: 'With a `-`: the latest first.' }),
    ),
    limit: Limit,
    after: Type.Optional(
      Type.String({ description: '`next` of the page before, with the same sort and filters.' }),
    ),
    cursor: Type.Optional(Type.String({ description: 'Only for a WebSocket.' })),
  },
  { additionalProperties: false },
);

export const VmQuery = Type.Object(
  {
    wait: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 60,
        description: 'Seconds to wait for a version other than `version`.',
      }),
    ),
    version: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
        description: 'With `wait`: of the row that the client has; 0 is none.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const ChangeBody = Type.Object(
  {
    status: Type.Optional(
      Type.String({
        description: `One of ${STATUSES.join(', ')}. \`available\` lets go of person and command, \`in-use\` needs an email, \`failed\` keeps who had it.`,
        examples: [...STATUSES],
      }),
    ),
    email: Type.Optional(Email),
    crd_command: Type.Optional(
      Type.Union([Command, Type.Null()], {
        description: 'Without it, a VM that gets a person has none: never the last person’s.',
      }),
    ),
    reassign: Type.Optional(
      Type.Boolean({ default: false, description: 'Takes the VM from another person.' }),
    ),
  },
  {
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
      description: "A row's `ETag`: the change is made only if the row is still that one.",
      examples: ['"17"'],
    }),
  ),
});

export const ClearQuery = Type.Object(
  {
    confirm: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'How many VMs there are. Nothing is removed when there are more or fewer.',
    }),
  },
  { additionalProperties: false },
);

export const AssignmentBody = Type.Object(
  { email: Email, crd_command: Type.Optional(Command) },
  {
    additionalProperties: false,
    examples: [{ email: 'ada@example.com', crd_command: 'start-host --code=4/0AX4XfWh' }],
  },
);

export const EnrolmentBody = Type.Object(
  {
    hostname: text(255, {
      description: 'Of the VM; its agent will be called so.',
      examples: ['vm-1'],
    }),
    nonce: Type.Optional(
      Type.String({
        pattern: '^[\\x21-\\x7e]{22,128}$',
        description:
          'Chosen at random, kept by the VM, told to nobody else: with it, and with nothing else, the hostname may ask again.',
        examples: ['pSx7Vd1tTj2nCz8dQ0uY5w'],
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ hostname: 'vm-1', nonce: 'pSx7Vd1tTj2nCz8dQ0uY5w' }],
  },
);

export const EventsQuery = Type.Object(
  {
    limit: Limit,
    after: Type.Optional(
      Type.String({ pattern: '^[1-9]\\d{0,17}$', description: '`next` of the page before.' }),
    ),
  },
  { additionalProperties: false },
);

export const AllEventsQuery = Type.Object(
  { ...EventsQuery.properties, email: Type.Optional(Email) },
  { additionalProperties: false },
);

const exampleVm = {
  id: 1,
  hostname: 'vm-1',
  email: 'ada@example.com',
  status: 'in-use',
  crd_command: 'start-host --code=4/0AX4XfWh',
  created_at: '2026-03-02T09:00:00',
  updated_at: '2026-03-02T09:30:00.123456',
  version: 17,
  assignment_id: '0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a',
};

/** A header as the document describes it. */
const header = (description: string, example: string) =>
  Type.String({ description, examples: [example] });

export const Version = header("The row's version, as `If-Match` takes it.", '"17"');

const Link = header(
  'With `rel="next"` the URL of the next page; not at the end.',
  '</v1/vms?limit=1&after=1>; rel="next"',
);

const examples = [exampleVm];
export const VmAnswer = Type.Union([Vm, DashboardVm], {
  description: 'The row. A dashboard sees no `crd_command`.',
  examples,
  headers: { ETag: Version },
});

const Next = Type.Union([Type.String(), Type.Null()], {
  description: 'For `after` of the next page, which `Link` names too; null at the end.',
});

const exampleDelivery = {
  assignment_id: exampleVm.assignment_id,
  made_at: '2026-03-02T09:30:00.123456Z',
  pushed_at: '2026-03-02T09:30:00.125000Z',
  acked_at: '2026-03-02T09:30:00.131000Z',
  ended_at: '2026-03-02T09:30:04.500000Z',
  outcome: 'succeeded',
  exit_code: 0,
};

const examplePresence = {
  hostname: exampleVm.hostname,
  online: true,
  since: '2026-03-02T09:00:07.250000Z',
  duplicate: false,
  acked_assignment_id: exampleVm.assignment_id,
  delivery: exampleDelivery,
};

export const VmPageAnswer = Type.Object(
  { vms: Type.Array(VmAnswer), presence: Type.Array(Presence), next: Next },
  {
    description: 'A page of rows, and what is known of the agents of their hostnames.',
    examples: [{ vms: [exampleVm], presence: [examplePresence], next: '1' }],
    headers: { Link },
  },
);

/** What an assignment is answered with. */
const AgentOnline = header('`true` or `false`: whether the agent of the VM is online.', 'true');
export const AssignedAnswer = {
  ...VmAnswer,
  headers: { ETag: Version, 'Agent-Online': AgentOnline },
};

const nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);

export const EndBody = Type.Object(
  {
    outcome: Outcome,
    exit_code: Type.Optional(
      Type.Union([Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 }), Type.Null()]),
    ),
    signal: Type.Optional(
      Type.Union([
        text(32, { description: 'What ended the command: `SIGTERM`.', examples: ['SIGTERM'] }),
        Type.Null(),
      ]),
    ),
  },
  { additionalProperties: false, examples: [{ outcome: 'succeeded', exit_code: 0 }] },
);

/** A row of `vm_deliveries`. */
const AnyDelivery = Type.Object({
  ...Delivery.properties,
  hostname: Type.String({ description: 'As it was when the assignment was made.' }),
  signal: nullable(Type.String()),
});
const exampleAnyDelivery = { ...exampleDelivery, hostname: exampleVm.hostname, signal: null };

export const DeliveryAnswer = Type.Object(AnyDelivery.properties, {
  description: 'What became of the assignment; its end as it was first reported.',
  examples: [exampleAnyDelivery],
});

export const DeliveriesQuery = Type.Object({ limit: Limit }, { additionalProperties: false });

export const DeliveriesAnswer = Type.Object(
  { deliveries: Type.Array(AnyDelivery) },
  {
    description: 'The latest assignments of this VM, the newest first.',
    examples: [{ deliveries: [exampleAnyDelivery] }],
  },
);

/** A row of `vm_events`. */
export const Event = Type.Object(
  {
    id: Type.Integer(),
    at: Type.String({ description: 'The time of the transaction, in UTC.' }),
    op: Type.Enum(['insert', 'update', 'delete', 'truncate']),
    hostname: nullable(Type.String()),
    old_hostname: nullable(Type.String()),
    assignment_id: nullable(Type.String()),
    old_status: nullable(Type.String()),
    new_status: nullable(Type.String()),
    old_email: nullable(Type.String()),
    new_email: nullable(Type.String()),
    crd_command_changed: nullable(Type.Boolean()),
    version: nullable(Type.Integer()),
    database_user: Type.String({ description: 'The role whose session made the change.' }),
    actor: nullable(Type.String({ description: 'Role and `sub` of the token.' })),
    request_id: nullable(Type.String()),
  },
  { description: 'One change of one VM. The command is not kept.' },
);

const exampleEvent = {
  id: 31,
  at: '2026-03-02T09:30:00.123456Z',
  op: 'update',
  hostname: 'vm-1',
  old_hostname: null,
  assignment_id: '0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a',
  old_status: 'available',
  new_status: 'in-use',
  old_email: null,
  new_email: 'ada@example.com',
  crd_command_changed: true,
  version: 17,
  database_user: 'lablink',
  actor: 'admin:boss',
  request_id: '7d1c0b9a4e5f4c6d',
};

export const EventPageAnswer = Type.Object(
  { events: Type.Array(Event), next: Next },
  {
    description: 'A page of events.',
    examples: [{ events: [exampleEvent], next: null }],
    headers: { Link },
  },
);

export const StatsAnswer = Type.Object(
  {
    total: Type.Integer(),
    assigned: Type.Integer({ description: 'How many VMs have a person.' }),
    by_status: Type.Record(Type.String(), Type.Integer()),
  },
  {
    description: 'Counted in one moment.',
    examples: [{ total: 3, assigned: 1, by_status: { available: 2, 'in-use': 1 } }],
  },
);

export const EnrolmentAnswer = Type.Object(
  {
    hostname: Type.String(),
    token: Type.String({ description: "Of the hostname's agent." }),
    expires_at: Type.String({ description: 'When the token ends, in UTC.' }),
  },
  {
    description: "The VM is known, and this is its agent's token.",
    examples: [{ hostname: 'vm-1', token: 'eyJhbGciOi…', expires_at: '2026-04-01T09:30:00.000Z' }],
  },
);

export const ClearedAnswer = Type.Object(
  { deleted: Type.Integer() },
  { description: 'There is no VM any more.', examples: [{ deleted: 12 }] },
);
