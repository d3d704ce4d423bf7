// The activity log: events in words, the latest first, up to a fixed number.

import type { Presence, WatchedVm } from '../../client/index.js';
import { formatStatus } from './status-labels.js';
import { hasFailed } from './danger.js';
import { listChangedColumns } from './columns.js';

/** The kind of an event; decides its icon. */
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

/** An event in words. */
export interface ActivityEvent {
  readonly kind: ActivityKind;
  /** Continues a sentence that begins with the hostname: `was assigned to ada@example.com`. */
  readonly text: string;
}

export interface ActivityEntry extends ActivityEvent {
  /** Increases; negative for events from before the page was opened. */
  readonly id: number;
  readonly hostname: string;
  readonly atMs: number;
  /** The version of the row after the change; undefined if the row did not change. */
  readonly version: number | null | undefined;
  /** The author of the change; undefined if it is unknown, or an agent's own doing. */
  readonly actor: string | undefined;
}

/** More than a person reads back, and little memory. */
const MAX_ENTRIES = 200;
/** With the pages from before that the user asked for. */
const MAX_HISTORY = 2_000;

export class ActivityLog {
  /** The latest first. */
  #entries: readonly ActivityEntry[] = [];
  /** The entries added since `entries` was last read, the earliest first. */
  #added: ActivityEntry[] = [];
  #count = 0;
  #historyCount = 0;

  /** @param version of the row after the change; undefined if the row did not change. */
  add(
    hostname: string,
    { kind, text }: ActivityEvent,
    atMs: number,
    version?: number | null,
  ): void {
    const id = ++this.#count;
    this.#added.push({ id, hostname, kind, text, atMs, version, actor: undefined });
    if (this.#added.length > 2 * MAX_ENTRIES) this.#added = this.#added.slice(-MAX_ENTRIES);
  }

  /**
   * Appends events from before the page was opened.
   * @param earlier the latest first.
   */
  addHistory(earlier: readonly Omit<ActivityEntry, 'id'>[]): void {
    const history = earlier.map((entry) => ({ ...entry, id: -++this.#historyCount }));
    this.#entries = [...this.entries, ...history].slice(0, MAX_HISTORY);
  }

  /**
   * Sets who made the changes that have no actor yet.
   * @param actors by `formatChangeKey`.
   */
  nameActors(actors: ReadonlyMap<string, string>): void {
    this.#entries = this.entries.map((entry) => {
      if (entry.actor !== undefined || entry.version === undefined) return entry;
      const { hostname, kind, version } = entry;
      const actor = actors.get(formatChangeKey(hostname, kind === 'deleted' ? null : version));
      return actor === undefined ? entry : { ...entry, actor };
    });
  }

  /** How many entries were ever added, without the history. */
  get count(): number {
    return this.#count;
  }

  /** The entries, the latest first; a new array if something was added. */
  get entries(): readonly ActivityEntry[] {
    if (this.#added.length > 0) {
      const kept = Math.max(MAX_ENTRIES, this.#historyCount);
      this.#entries = [...this.#added.reverse(), ...this.#entries].slice(0, kept);
      this.#added = [];
    }
    return this.#entries;
  }
}

/** Names a change of a row by its version; null for the deletion, which has none of its own. */
export const formatChangeKey = (hostname: string, version: number | null): string =>
  `${version ?? 'deleted'} ${hostname}`;

/** Describes a change of a row; undefined if it is of no interest to users. */
export function describeChange(
  before: WatchedVm | undefined,
  after: WatchedVm | undefined,
): ActivityEvent | undefined {
  if (after === undefined) return before && { kind: 'deleted', text: 'was deleted' };
  if (before === undefined)
    return { kind: 'registered', text: `was registered, ${formatStatus(after.status)}` };
  const person = after.email ?? 'no person';
  if (after.assignment_id !== null && after.assignment_id !== before.assignment_id) {
    return before.status === 'in-use' && before.email === after.email
      ? { kind: 'assigned', text: `has a new command for ${person}` }
      : { kind: 'assigned', text: `was assigned to ${person}` };
  }
  if (before.status !== after.status) return describeStatus(before, after);
  if (before.email !== null && after.email === null) {
    return { kind: 'released', text: `was released by ${before.email}` };
  }
  const shown = listChangedColumns(before, after).filter((name) => !HIDDEN_COLUMNS.includes(name));
  return shown.length === 0 ? undefined : { kind: 'changed', text: `changed ${shown.join(', ')}` };
}

/** Columns whose changes are not described: they are technical or secret. */
const HIDDEN_COLUMNS = ['updated_at', 'version', 'crd_command'];

function describeStatus(before: WatchedVm, after: WatchedVm): ActivityEvent {
  if (after.status === 'failed') return { kind: 'failed', text: 'failed' };
  if (after.status !== 'available') return { kind: 'changed', text: `is ${after.status}` };
  return before.email === null
    ? { kind: 'recovered', text: 'is available again' }
    : { kind: 'released', text: `was released by ${before.email}` };
}

/** Describes a change of an agent's presence: every event, in the order of occurrence. */
export function describePresence(
  before: Presence | undefined,
  after: Presence | undefined,
): ActivityEvent[] {
  const events: ActivityEvent[] = [];
  const wasOnline = before?.online ?? false;
  const isOnline = after?.online ?? false;
  if (isOnline && !wasOnline) events.push({ kind: 'online', text: 'came online' });
  const delivered = after?.delivery;
  const known = before?.delivery;
  if (delivered) {
    const earlier = known?.assignment_id === delivered.assignment_id ? known : undefined;
    if (delivered.acked_at !== null && (earlier?.acked_at ?? null) === null)
      events.push({ kind: 'acknowledged', text: 'acknowledged its assignment' });
    if (delivered.ended_at !== null && (earlier?.ended_at ?? null) === null)
      events.push({
        kind: hasFailed(delivered) ? 'failed' : 'ended',
        text: `ended its command: ${formatEnd(delivered)}`,
      });
  }
  if (wasOnline && !isOnline) events.push({ kind: 'away', text: 'went offline' });
  return events;
}

/** Formats how a command ended: `failed, exit code 7`. */
function formatEnd({
  outcome,
  exit_code: code,
}: {
  readonly outcome: string | null;
  readonly exit_code: number | null;
}): string {
  return `${outcome ?? 'ended'}${code === null || code === 0 ? '' : `, exit code ${code}`}`;
}
