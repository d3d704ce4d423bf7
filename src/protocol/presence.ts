// The schemas of an agent's presence and of the delivery of its assignment. Times are RFC 3339 in
// UTC, by the database's clock.

import { Type, type Static } from 'typebox';

const Time = (description: string) =>
  Type.Union([Type.String(), Type.Null()], {
    description,
    examples: ['2026-03-02T09:30:00.123456Z'],
  });

/** How the command of an assignment ended. */
export const Outcome = Type.Union([
  Type.Literal('succeeded', { description: 'The command ended well.' }),
  Type.Literal('failed', { description: 'It ended with an error, or could not be started.' }),
  Type.Literal('stopped', {
    description: 'The agent ended it, because the VM was released or has another assignment.',
  }),
  Type.Literal('interrupted', {
    description: 'It was cut off, and how far it came is unknown.',
  }),
]);
export type Outcome = Static<typeof Outcome>;

/** The progress of the row's current assignment, from its creation to the end of its command. */
export const Delivery = Type.Object(
  {
    assignment_id: Type.String({ description: 'The `assignment_id` of the row.' }),
    made_at: Time('When the VM was assigned.'),
    pushed_at: Time("When the assignment was first written to the agent's socket."),
    acked_at: Time('When the agent acknowledged the assignment.'),
    ended_at: Time('When the agent reported the end of the command.'),
    outcome: Type.Union([Outcome, Type.Null()], { description: 'How the command ended.' }),
    exit_code: Type.Union([Type.Integer(), Type.Null()], {
      description: 'The exit code of the command; null if there is none.',
    }),
  },
  { title: 'Delivery' },
);
export type Delivery = Static<typeof Delivery>;

/** The state of a hostname's agent. */
export const Presence = Type.Object(
  {
    hostname: Type.String({ description: 'The hostname of the agent. It may have no row.' }),
    online: Type.Boolean({
      description: 'Whether an agent of this hostname is connected to any gateway.',
    }),
    since: Time('Since when the agent is online or offline; null if it was never online.'),
    duplicate: Type.Boolean({
      description: 'Whether agents of this hostname are online on more than one gateway.',
    }),
    acked_assignment_id: Type.Union([Type.String(), Type.Null()], {
      description: "The row's `assignment_id` once the agent has acknowledged it, otherwise null.",
    }),
    delivery: Type.Union([Delivery, Type.Null()], {
      description: 'Null if the row has no assignment.',
    }),
  },
  { title: 'Presence' },
);
export type Presence = Static<typeof Presence>;
