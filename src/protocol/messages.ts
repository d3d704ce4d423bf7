// Every message of protocol v1, once: the types, the checks and the document all come from here.
// A message is one JSON text frame, an object with `type`.

import { Type, type Static } from 'typebox';
import { SUBPROTOCOL, UUID_PATTERN } from './names.js';
import { Presence } from './presence.js';
import { DashboardVm, Vm } from './row.js';

export { BEARER_SUBPROTOCOL_PREFIX, SUBPROTOCOL } from './names.js';

const AnyVm = Type.Union([Vm, DashboardVm]);
const CURSOR = 'Opaque; sent back as `?cursor=` to receive only what changed since.';
const Cursor = Type.String({ description: CURSOR });
const Live = Type.Boolean({
  description: 'False in a gap: what is shown is what was last known.',
});

export const Welcome = Type.Object({
  type: Type.Literal('welcome'),
  protocol: Type.Literal(SUBPROTOCOL),
  gateway: Type.String({ description: 'Names the gateway process; every start has a new name.' }),
  heartbeat_ms: Type.Integer({
    description:
      'How often the gateway pings, in ms. It closes a client that shows no sign of life for two of these.',
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
  more: Type.Boolean({ description: 'Whether further parts follow.' }),
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

export const Feed = Type.Object({ type: Type.Literal('feed'), live: Live });

/** Why a message was refused. Stable: programs compare them. */
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

/** Server to client. Clients ignore types and fields they do not know. */
export const ServerMessage = Type.Union([
  Welcome,
  Assignment,
  StatusChange,
  Absent,
  Snapshot,
  Changes,
  Feed,
  ErrorMessage,
  Pong,
]);
export type ServerMessage = Static<typeof ServerMessage>;

export const AssignmentId = Type.String({
  pattern: UUID_PATTERN,
  description: 'A UUID, as the row carries it.',
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
  token: Type.String({ description: 'A fresh token of the same `sub` and `role`.' }),
});

export const Ping = Type.Object({ type: Type.Literal('ping') });

/** Client to server. Fields nobody knows are ignored. */
export const ClientMessage = Type.Union([Ack, StatusReport, Auth, Ping]);
export type ClientMessage = Static<typeof ClientMessage>;
