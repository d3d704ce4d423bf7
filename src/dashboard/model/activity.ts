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

export interface Happening {
  readonly kind: ActivityKind;
  /** Goes on after the hostname: `was assigned to ada@example.com`. */
  readonly words: string;
}

export interface Entry extends Happening {
  /** Counts up. */
  readonly id: number;
  readonly hostname: string;
  readonly atMs: number;
}

/** More than a person reads back, and nothing to a browser. */
const KEPT = 200;

export class Activity {
  /** The latest first. */
  #entries: readonly Entry[] = [];
  #waiting: Entry[] = [];
  #count = 0;

  add(hostname: string, { kind, words }: Happening, atMs: number): void {
    this.#waiting.push({ id: ++this.#count, hostname, kind, words, atMs });
    if (this.#waiting.length > 2 * KEPT) this.#waiting = this.#waiting.slice(-KEPT);
  }

  /** Puts what happened before everything else at the end. @param earlier the latest first */
  addEarlier(earlier: readonly Omit<Entry, 'id'>[]): void {
    const below = earlier.map((entry, index) => ({ ...entry, id: -1 - index }));
    this.#entries = [...this.entries, ...below].slice(0, KEPT);
  }

  /** How many there ever were, but for the earlier ones. */
  get count(): number {
    return this.#count;
  }

  /** Another array after something was added. */
  get entries(): readonly Entry[] {
    if (this.#waiting.length > 0) {
      this.#entries = [...this.#waiting.reverse(), ...this.#entries].slice(0, KEPT);
      this.#waiting = [];
    }
    return this.#entries;
  }
}

/** What a change of a row means to people; undefined for one that means nothing to them. */
export function describeChange(
  before: WatchedVm | undefined,
  after: WatchedVm | undefined,
): Happening | undefined {
  if (after === undefined) return before && { kind: 'deleted', words: 'was deleted' };
  if (before === undefined) return { kind: 'registered', words: `was registered, ${after.status}` };
  const person = after.email ?? 'nobody';
  if (after.assignment_id !== null && after.assignment_id !== before.assignment_id) {
    return before.status === 'in-use' && before.email === after.email
      ? { kind: 'assigned', words: `has a new command for ${person}` }
      : { kind: 'assigned', words: `was assigned to ${person}` };
  }
  if (before.status !== after.status) return describeStatus(before, after);
  if (before.email !== null && after.email === null) {
    return { kind: 'released', words: `was released by ${before.email}` };
  }
  const shown = changedColumns(before, after).filter((name) => !UNTOLD.includes(name));
  return shown.length === 0 ? undefined : { kind: 'changed', words: `changed ${shown.join(', ')}` };
}

/** Columns whose change means nothing to people, or is told otherwise. */
const UNTOLD = ['updated_at', 'version', 'crd_command'];

function describeStatus(before: WatchedVm, after: WatchedVm): Happening {
  if (after.status === 'failed') return { kind: 'failed', words: 'failed' };
  if (after.status !== 'available') return { kind: 'changed', words: `is ${after.status}` };
  return before.email === null
    ? { kind: 'recovered', words: 'is available again' }
    : { kind: 'released', words: `was released by ${before.email}` };
}

/** What news of an agent means to people: everything that happened, in the order in which it does. */
export function describePresence(
  before: Presence | undefined,
  after: Presence | undefined,
): Happening[] {
  const happenings: Happening[] = [];
  const wasOnline = before?.online ?? false;
  const isOnline = after?.online ?? false;
  if (isOnline && !wasOnline) happenings.push({ kind: 'online', words: 'came online' });
  const [delivered, known] = [after?.delivery, before?.delivery];
  if (delivered) {
    const told = known?.assignment_id === delivered.assignment_id ? known : undefined;
    if (delivered.acked_at !== null && (told?.acked_at ?? null) === null)
      happenings.push({ kind: 'acknowledged', words: 'acknowledged its assignment' });
    if (delivered.ended_at !== null && (told?.ended_at ?? null) === null)
      happenings.push({ kind: 'ended', words: `ended its command: ${outcomeWords(delivered)}` });
  }
  if (wasOnline && !isOnline) happenings.push({ kind: 'away', words: 'went away' });
  return happenings;
}

export function outcomeWords({
  outcome,
  exit_code: code,
}: {
  readonly outcome: string | null;
  readonly exit_code: number | null;
}): string {
  return `${outcome ?? 'ended'}${code === null || code === 0 ? '' : `, exit code ${code}`}`;
}
