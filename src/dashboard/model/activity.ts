// What happened, in words, the latest first: so many entries and no more.

import type { Presence, WatchedVm } from '../../client/index.js';
import { changedColumns } from './columns.js';

/** What an entry is about: decides its mark. */
export type ActivityKind =
  | 'registered'
  | 'assigned'
  | 'released'
  | 'failed'
  | 'recovered'
  | 'changed'
  | 'deleted'
  | 'online'
  | 'away'
  | 'acknowledged'
  | 'ended';

export interface ActivityEvent {
  readonly kind: ActivityKind;
  /** Goes on after the hostname: `was assigned to ada@example.com`. */
  readonly text: string;
}

export interface ActivityEntry extends ActivityEvent {
  /** Counts up. */
  readonly id: number;
  readonly hostname: string;
  readonly atMs: number;
}

/** More than a person reads back, and nothing to a browser. */
const MAX_ENTRIES = 200;

export class ActivityLog {
  /** The latest first. */
  #entries: readonly ActivityEntry[] = [];
  #waiting: ActivityEntry[] = [];
  #count = 0;

  add(hostname: string, { kind, text }: ActivityEvent, atMs: number): void {
    this.#waiting.push({ id: ++this.#count, hostname, kind, text, atMs });
    if (this.#waiting.length > 2 * MAX_ENTRIES) this.#waiting = this.#waiting.slice(-MAX_ENTRIES);
  }

  /** Puts what happened before everything else at the end. @param earlier the latest first */
  addHistory(earlier: readonly Omit<ActivityEntry, 'id'>[]): void {
    const below = earlier.map((entry, index) => ({ ...entry, id: -1 - index }));
    this.#entries = [...this.entries, ...below].slice(0, MAX_ENTRIES);
  }

  /** How many there ever were, but for the earlier ones. */
  get count(): number {
    return this.#count;
  }

  /** Another array after something was added. */
  get entries(): readonly ActivityEntry[] {
    if (this.#waiting.length > 0) {
      this.#entries = [...this.#waiting.reverse(), ...this.#entries].slice(0, MAX_ENTRIES);
      this.#waiting = [];
    }
    return this.#entries;
  }
}

/** What a change of a row means to people; undefined for one that means nothing to them. */
export function describeChange(
  before: WatchedVm | undefined,
  after: WatchedVm | undefined,
): ActivityEvent | undefined {
  if (after === undefined) return before && { kind: 'deleted', text: 'was deleted' };
  if (before === undefined) return { kind: 'registered', text: `was registered, ${after.status}` };
  const person = after.email ?? 'nobody';
  if (after.assignment_id !== null && after.assignment_id !== before.assignment_id) {
    return before.status === 'in-use' && before.email === after.email
      ? { kind: 'assigned', text: `has a new command for ${person}` }
      : { kind: 'assigned', text: `was assigned to ${person}` };
  }
  if (before.status !== after.status) return describeStatus(before, after);
  if (before.email !== null && after.email === null) {
    return { kind: 'released', text: `was released by ${before.email}` };
  }
  const shown = changedColumns(before, after).filter((name) => !HIDDEN_COLUMNS.includes(name));
  return shown.length === 0 ? undefined : { kind: 'changed', text: `changed ${shown.join(', ')}` };
}

/** Columns whose change means nothing to people, or is told otherwise. */
const HIDDEN_COLUMNS = ['updated_at', 'version', 'crd_command'];

function describeStatus(before: WatchedVm, after: WatchedVm): ActivityEvent {
  if (after.status === 'failed') return { kind: 'failed', text: 'failed' };
  if (after.status !== 'available') return { kind: 'changed', text: `is ${after.status}` };
  return before.email === null
    ? { kind: 'recovered', text: 'is available again' }
    : { kind: 'released', text: `was released by ${before.email}` };
}

/** What news of an agent means to people: everything that happened, in the order in which it does. */
export function describePresence(
  before: Presence | undefined,
  after: Presence | undefined,
): ActivityEvent[] {
  const events: ActivityEvent[] = [];
  const wasOnline = before?.online ?? false;
  const isOnline = after?.online ?? false;
  if (isOnline && !wasOnline) events.push({ kind: 'online', text: 'came online' });
  const [delivered, known] = [after?.delivery, before?.delivery];
  if (delivered) {
    const told = known?.assignment_id === delivered.assignment_id ? known : undefined;
    if (delivered.acked_at !== null && (told?.acked_at ?? null) === null)
      events.push({ kind: 'acknowledged', text: 'acknowledged its assignment' });
    if (delivered.ended_at !== null && (told?.ended_at ?? null) === null)
      events.push({ kind: 'ended', text: `ended its command: ${formatOutcome(delivered)}` });
  }
  if (wasOnline && !isOnline) events.push({ kind: 'away', text: 'went away' });
  return events;
}

export function formatOutcome({
  outcome,
  exit_code: code,
}: {
  readonly outcome: string | null;
  readonly exit_code: number | null;
}): string {
  return `${outcome ?? 'ended'}${code === null || code === 0 ? '' : `, exit code ${code}`}`;
}
