// The journal: the assignments that the agent has acted on, oldest first, and how each ended. Pure.
// The agent never acts again on an assignment in the journal, unless it was interrupted and may be
// repeated.

import { Type, type Static } from 'typebox';
import { Leader } from '../processes/process-group.js';

/** How many assignments the journal keeps. */
export const MAX_ENTRIES = 1_000;

/**
 * `stopped`: ended because of a newer assignment or a release. `interrupted`: the agent ended
 * first, so how far the command came is unknown. `printed`: written to stdout.
 */
export const JournalOutcome = Type.Enum([
  'succeeded',
  'failed',
  'stopped',
  'interrupted',
  'printed',
]);
export type JournalOutcome = Static<typeof JournalOutcome>;

export const JournalEnd = Type.Object({
  at: Type.String(),
  outcome: JournalOutcome,
  exit_code: Type.Union([Type.Integer(), Type.Null()]),
  signal: Type.Union([Type.String(), Type.Null()]),
});
export type JournalEnd = Static<typeof JournalEnd>;

export const JournalEntry = Type.Object({
  assignment_id: Type.String(),
  began_at: Type.String(),
  /** The command's first process; absent if there was none. */
  leader: Type.Optional(Leader),
  /** Absent while the command runs, and after it was interrupted without a record. */
  end: Type.Optional(JournalEnd),
  /** Whether the gateway has answered the report of the end. */
  reported: Type.Optional(Type.Boolean()),
});
export type JournalEntry = Static<typeof JournalEntry>;

/** The content of the state file. Times are ISO 8601 in UTC. */
export const Journal = Type.Object({
  format: Type.Literal(1),
  /** The nonce proves to the gateway that this agent enrolled this hostname. */
  enrolment: Type.Optional(Type.Object({ hostname: Type.String(), nonce: Type.String() })),
  entries: Type.Array(JournalEntry),
});
export type Journal = Static<typeof Journal>;

export const EMPTY_JOURNAL: Journal = { format: 1, entries: [] };

export function findEntry({ entries }: Journal, assignmentId: string): JournalEntry | undefined {
  return entries.find((entry) => entry.assignment_id === assignmentId);
}

/** Returns the journal with this entry last. It replaces an earlier entry of its assignment. */
export function appendEntry(journal: Journal, entry: JournalEntry): Journal {
  const others = journal.entries.filter((one) => one.assignment_id !== entry.assignment_id);
  return { ...journal, entries: [...others, entry].slice(-MAX_ENTRIES) };
}

/** Returns the journal with these fields added to the entry of this assignment. */
export function amendEntry(
  journal: Journal,
  assignmentId: string,
  fields: Partial<JournalEntry>,
): Journal {
  const entries = journal.entries.map((entry) =>
    entry.assignment_id === assignmentId ? { ...entry, ...fields } : entry,
  );
  return { ...journal, entries };
}
