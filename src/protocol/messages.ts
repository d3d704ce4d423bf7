// The schemas of all messages of protocol v1. Types, validation and the AsyncAPI document come from
// these schemas alone. A message is one JSON text frame: an object with a `type`.

import { Type, type Static } from 'typebox';
import { SUBPROTOCOL, UUID_PATTERN } from './names.js';
import { Presence } from './presence.js';
import { DashboardVm, Vm } from './row.js';

export { BEARER_SUBPROTOCOL_PREFIX, SUBPROTOCOL } from './names.js';

const AnyVm = Type.Union([Vm, DashboardVm]);
const CURSOR = 'Opaque. Send it back as `?cursor=` to receive only the changes since then.';
const Cursor = Type.String({ description: CURSOR });
const Live = Type.Boolean({
  description: 'False while the feed is interrupted: the state is the last known one.',
});

export const Welcome = Type.Object({
  type: Type.Literal('welcome'),
  protocol: Type.Literal(SUBPROTOCOL),
  gateway: Type.String({ description: 'Names the gateway process; every start has a new name.' }),
  heartbeat_ms: Type.Integer({
    description:
      'The interval of the gateway’s pings, in ms. A client gives up a gateway that is silent for two intervals.',
  }),
  live: Live,
});

export const Assignment = Type.Object({ type: Type.Literal('assignment'), vm: AnyVm });
export const StatusChange = Type.Object({ type: Type.Literal('status'), vm: AnyVm });
export const Absent = Type.Object({ type: Type.Literal('absent'), hostname: Type.String() });

export const Snapshot = Type.Object({
  type: Type.Literal('snapshot'),
  vms: Type.Array(AnyVm),
  presence: Type.Array(Presence, { description: 'What is known about agents.' }),
  more: Type.Boolean({ description: 'Whether more parts follow.' }),
  cursor: Type.Optional(Type.String({ description: `On the last part only. ${CURSOR}` })),
});

export const Upsert = Type.Object({ op: Type.Literal('upsert'), vm: AnyVm });
export const Delete = Type.Object({ op: Type.Literal('delete'), hostname: Type.String() });

export const PresenceChange = Type.Object({
  op: Type.Literal('presence'),
  ...Presence.properties,
});

export const Changes = Type.Object({
  type: Type.Literal('changes'),
  changes: Type.Array(Type.Union([Upsert, Delete, PresenceChange]), {
    description: 'A hostname stands at most once for its row and once for its presence.',
  }),
  cursor: Cursor,
});

export const FeedMessage = Type.Object({ type: Type.Literal('feed'), live: Live });

/** Why a message was rejected. The codes are stable, for programs to compare. */
export const ErrorCode = Type.Union(
  [
    Type.Literal('invalid_message', {
      description: 'The message is no object with a `type`, or a field is missing or wrong.',
    }),
    Type.Literal('unknown_type', { description: 'The protocol has no message of this type.' }),
    Type.Literal('not_allowed', { description: 'The role, or the state of the VM, forbids it.' }),
    Type.Literal('stale_assignment', { description: 'The VM no longer has this assignment.' }),
    Type.Literal('unavailable', { description: 'The database does not answer; try again.' }),
  ],
  { description: 'Stable: programs compare it.' },
);
export type ErrorCode = Static<typeof ErrorCode>;

export const ErrorMessage = Type.Object({
  type: Type.Literal('error'),
  code: ErrorCode,
  message: Type.String({ description: 'For people.' }),
});

export const Pong = Type.Object({ type: Type.Literal('pong') });

/** A message from the gateway to a client. Clients ignore unknown types and fields. */
export const ServerMessage = Type.Union([
  Welcome,
  Assignment,
  StatusChange,
  Absent,
  Snapshot,
  Changes,
  FeedMessage,
  ErrorMessage,
  Pong,
]);
export type ServerMessage = Static<typeof ServerMessage>;

export const AssignmentId = Type.String({
  pattern: UUID_PATTERN,
  description: 'A UUID, as in the row.',
  examples: ['0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a'],
});

export const Ack = Type.Object({ type: Type.Literal('ack'), assignment_id: AssignmentId });

export const StatusReport = Type.Object({
  type: Type.Literal('status'),
  status: Type.Union([Type.Literal('failed'), Type.Literal('available')]),
  assignment_id: Type.Optional(
    Type.String({
      pattern: UUID_PATTERN,
      description: 'The assignment of the report; `stale_assignment` if it is no longer current.',
    }),
  ),
});
export type StatusReport = Static<typeof StatusReport>;

export const Auth = Type.Object({
  type: Type.Literal('auth'),
  token: Type.String({ description: 'A new token of the same `sub` and `role`.' }),
});

export const Ping = Type.Object({ type: Type.Literal('ping') });

/** A message from a client to the gateway. Unknown fields are ignored. */
export const ClientMessage = Type.Union([Ack, StatusReport, Auth, Ping]);
export type ClientMessage = Static<typeof ClientMessage>;
