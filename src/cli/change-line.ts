// Formats a change of a row as a line for people. Control characters are escaped, and a VM's
// command is never shown.

import type { WatchedVm } from '../client/index.js';
import { escapeControls } from './escape-controls.js';

/** A change of one hostname's row. */
export interface WatchedChange {
  readonly hostname: string;
  /** The row that was last shown; undefined if there was none. */
  readonly before: WatchedVm | undefined;
  /** The current row; undefined if there is none. */
  readonly vm: WatchedVm | undefined;
}

/** Columns that change with every change. */
const BOOKKEEPING = new Set(['updated_at', 'version']);

/** A change that is older is no change of now, or the clocks differ. */
const MAX_LATENCY_MS = 60_000;

/**
 * Formats the time (UTC), hostname, status, email, and the changed columns.
 *
 * @param first whether this is the state at the start of the watch.
 * @param withLatency whether to add how long ago the row changed.
 * @returns undefined if no shown column has changed.
 */
export function formatChangeLine(
  change: WatchedChange,
  first: boolean,
  nowMs: number,
  withLatency = false,
): string | undefined {
  const what = describeChange(change, first);
  if (what === undefined) return undefined;
  const { status = '-', email } = change.vm ?? {};
  const time = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const latency = first || !withLatency ? undefined : describeLatency(change.vm?.updated_at, nowMs);
  return [time, change.hostname, status, email ?? '-', what, ...(latency ?? [])]
    .map(escapeControls)
    .join('  ');
}

/** How long ago the row changed, by the clocks of the database and of this machine. */
function describeLatency(updatedAt: string | null | undefined, nowMs: number) {
  const changedMs = Date.parse(`${updatedAt ?? ''}Z`);
  const ms = nowMs - changedMs;
  return ms >= 0 && ms < MAX_LATENCY_MS ? [`${Math.round(ms)} ms`] : undefined;
}

function describeChange({ before, vm }: WatchedChange, first: boolean): string | undefined {
  if (vm === undefined) {
    if (first) return 'absent';
    return before === undefined ? undefined : 'deleted';
  }
  if (before === undefined) return first ? 'current' : 'new';
  const columns = listChangedColumns(before, vm);
  return columns.length === 0 ? undefined : `changed: ${columns.join(', ')}`;
}

function listChangedColumns(before: WatchedVm, vm: WatchedVm): string[] {
  const old = new Map<string, unknown>(Object.entries(before));
  const names = new Set([...Object.keys(vm), ...old.keys()]);
  const values = new Map<string, unknown>(Object.entries(vm));
  return [...names].filter(
    (name) =>
      !BOOKKEEPING.has(name) && JSON.stringify(values.get(name)) !== JSON.stringify(old.get(name)),
  );
}
