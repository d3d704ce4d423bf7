// What an agent remembers over restarts: the assignments it has begun, the oldest first, and how each ended. Pure. One
// that stands here is never begun again, but for one that was cut off and may be.

import { Type, type Static } from 'typebox';
import { Leader } from '../processes/process-group.js';

/** How many assignments are remembered. */
export const MAX_ENTRIES = 1_000;

/**
 * `stopped` by a newer assignment or a release; `interrupted` by the end of the agent, so that nobody knows how far it
 * came; `printed` and handed to whoever reads.
 */
export const Outcome = Type.Enum(['succeeded', 'failed', 'stopped', 'interrupted', 'printed']);
export type Outcome = Static<typeof Outcome>;

export const End = Type.Object({
  at: Type.String(),
  outcome: Outcome,
  exit_code: Type.Union([Type.Integer(), Type.Null()]),
  signal: Type.Union([Type.String(), Type.Null()]),
});
export type End = Static<typeof End>;

export const Entry = Type.Object({
  assignment_id: Type.String(),
  began_at: Type.String(),
  /** Its command's first process; absent where there is none. */
  leader: Type.Optional(Leader),
  /** Absent while it runs, and when it was cut off. */
  end: Type.Optional(End),
  /** Whether the gateway has answered the report of the end. */
  reported: Type.Optional(Type.Boolean()),
});
export type Entry = Static<typeof Entry>;

/** The state file's content; times are ISO 8601 in UTC. */
export const Journal = Type.Object({
  format: Type.Literal(1),
  /** What proves that it was this agent that enrolled this hostname. */
  enrolment: Type.Optional(Type.Object({ hostname: Type.String(), nonce: Type.String() })),
  entries: Type.Array(Entry),
});
export type Journal = Static<typeof Journal>;

export const EMPTY_JOURNAL: Journal = { format: 1, entries: [] };

export function entryOf({ entries }: Journal, assignmentId: string): Entry | undefined {
  return entries.find((entry) => entry.assignment_id === assignmentId);
}

/** The journal with this entry as the latest, whatever it said of the assignment before. */
export function begun(journal: Journal, entry: Entry): Journal {
  const others = journal.entries.filter((one) => one.assignment_id !== entry.assignment_id);
  return { ...journal, entries: [...others, entry].slice(-MAX_ENTRIES) };
}

/** The journal with more said of this assignment. */
export function amended(journal: Journal, assignmentId: string, more: Partial<Entry>): Journal {
  const entries = journal.entries.map((entry) =>
    entry.assignment_id === assignmentId ? { ...entry, ...more } : entry,
  );
  return { ...journal, entries };
}
