// What the routes of VMs take and answer.

import { Type } from 'typebox';
import { SETTABLE_STATUSES } from '../../database/decide-change.js';
import { SORTS } from '../../database/vms.js';
import { Presence } from '../../../protocol/presence.js';
import { DashboardVm, Vm } from '../../../protocol/row.js';
import { examplePresence, exampleVm } from './examples.js';
import { CrdCommand, Email, Limit, LinkHeader, Next, EtagHeader } from './shared.js';

export const ListVmsQuery = Type.Object(
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

export const GetVmQuery = Type.Object(
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
        description: `One of ${SETTABLE_STATUSES.join(', ')}. \`available\` lets go of person and command, \`in-use\` needs an email, \`failed\` keeps who had it.`,
        examples: [...SETTABLE_STATUSES],
      }),
    ),
    email: Type.Optional(Email),
    crd_command: Type.Optional(
      Type.Union([CrdCommand, Type.Null()], {
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

export const VmResponse = Type.Union([Vm, DashboardVm], {
  description: 'The row. A dashboard sees no `crd_command`.',
  examples: [exampleVm],
  headers: { ETag: EtagHeader },
});

export const VmPageResponse = Type.Object(
  { vms: Type.Array(VmResponse), presence: Type.Array(Presence), next: Next },
  {
    description: 'A page of rows, and what is known of the agents of their hostnames.',
    examples: [{ vms: [exampleVm], presence: [examplePresence], next: '1' }],
    headers: { LinkHeader },
  },
);

export const ClearVmsResponse = Type.Object(
  { deleted: Type.Integer() },
  { description: 'There is no VM any more.', examples: [{ deleted: 12 }] },
);

export const StatsResponse = Type.Object(
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
