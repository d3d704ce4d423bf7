// The presence of a VM's agent, and what became of the assignment it has, as they travel. Times are RFC 3339 in UTC, by
// the database's clock.

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

/** What became of the assignment that the row has now. */
export const Delivery = Type.Object({
  assignment_id: Type.String({ description: 'As in the row.' }),
  made_at: Time('When it was assigned.'),
  pushed_at: Time('When it was first written to a socket of the agent.'),
  acked_at: Time('When the agent acknowledged it.'),
  ended_at: Time('When the agent reported how its command ended.'),
  outcome: Type.Union([Outcome, Type.Null()], { description: 'How it ended.' }),
  exit_code: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Of the command, where it had one.',
  }),
});
export type Delivery = Static<typeof Delivery>;

/** What is known of a hostname's agent. */
export const Presence = Type.Object({
  hostname: Type.String({ description: 'Whose agent it is; a row of it there need not be.' }),
  online: Type.Boolean({
    description: 'Whether an agent of this hostname is connected, to any gateway.',
  }),
  since: Time('Since when it is online, or away; null: never seen.'),
  duplicate: Type.Boolean({
    description: 'Agents of this hostname are online on more than one gateway.',
  }),
  acked_assignment_id: Type.Union([Type.String(), Type.Null()], {
    description: "The row's assignment, once the agent has acknowledged it.",
  }),
  delivery: Type.Union([Delivery, Type.Null()], {
    description: 'Null: the row has no assignment.',
  }),
});
export type Presence = Static<typeof Presence>;
