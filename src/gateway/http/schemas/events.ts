// The schemas of the routes of the audit.

import { Type } from 'typebox';
import { Email, Limit, LinkHeader, Next, nullable } from './shared.js';

export const EventsQuery = Type.Object(
  {
    limit: Limit,
    after: Type.Optional(
      Type.String({ pattern: '^[1-9]\\d{0,17}$', description: 'The `next` of the previous page.' }),
    ),
  },
  { additionalProperties: false },
);

export const AllEventsQuery = Type.Object(
  { ...EventsQuery.properties, email: Type.Optional(Email) },
  { additionalProperties: false },
);

/** A row of `vm_events`. */
export const VmEvent = Type.Object(
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
    actor: nullable(
      Type.String({ description: 'The role and `sub` of the token that made the change.' }),
    ),
    request_id: nullable(Type.String()),
  },
  {
    title: 'Event',
    description: 'One change of one VM. The command itself is not recorded.',
  },
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

const EventPage = Type.Object(
  { events: Type.Array(VmEvent), next: Next },
  {
    title: 'EventPage',
    examples: [{ events: [exampleEvent], next: null }],
  },
);

export const EventPageResponse = {
  description: 'A page of events.',
  headers: { Link: LinkHeader },
  content: { 'application/json': { schema: EventPage } },
};
