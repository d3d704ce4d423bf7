// Filters the activity, and groups entries that belong together, so that a change of fifty VMs is
// one line.

import type { ActivityEntry, ActivityKind } from './activity.js';
import { formatQuantity } from './quantity.js';

export const ACTIVITY_FILTERS = {
  all: { label: 'All activity', kinds: undefined },
  people: { label: 'People', kinds: ['assigned', 'released'] },
  agents: { label: 'Agents', kinds: ['online', 'away', 'acknowledged', 'ended'] },
  failures: { label: 'Failures', kinds: ['failed', 'away'] },
  vms: { label: 'VMs', kinds: ['registered', 'deleted', 'changed', 'recovered'] },
} as const satisfies Record<
  string,
  { readonly label: string; readonly kinds: readonly ActivityKind[] | undefined }
>;
export type ActivityFilter = keyof typeof ACTIVITY_FILTERS;

/** Keeps the entries that a filter shows. */
export function filterActivity(
  entries: readonly ActivityEntry[],
  filter: ActivityFilter,
): readonly ActivityEntry[] {
  const kinds: readonly ActivityKind[] | undefined = ACTIVITY_FILTERS[filter].kinds;
  return kinds === undefined ? entries : entries.filter(({ kind }) => kinds.includes(kind));
}

/** An entry, or several of one kind and actor; the latest first. */
export type ActivityGroup = readonly [ActivityEntry, ...ActivityEntry[]];

/** Fewer entries are shown one by one. */
const MIN_GROUP = 4;
/** Entries of one group follow one another within this time. */
const MAX_PAUSE_MS = 5_000;

/**
 * Groups entries. Entries of other kinds may lie between those of a group: agents acknowledge
 * while further VMs are assigned.
 * @param entries the latest first.
 */
export function groupActivity(entries: readonly ActivityEntry[]): readonly ActivityGroup[] {
  const open = new Map<string, [ActivityEntry, ...ActivityEntry[]]>();
  const memberships = entries.map((entry) => {
    const key = `${entry.kind} ${entry.actor ?? ''}`;
    const group = open.get(key);
    const last = group?.at(-1);
    if (group !== undefined && last !== undefined && last.atMs - entry.atMs <= MAX_PAUSE_MS) {
      group.push(entry);
      return group;
    }
    const started: [ActivityEntry, ...ActivityEntry[]] = [entry];
    open.set(key, started);
    return started;
  });
  return entries.flatMap((entry, index): ActivityGroup[] => {
    const group = memberships[index];
    if (group === undefined || group.length < MIN_GROUP) return [[entry]];
    return group[0] === entry ? [group] : [];
  });
}

const VERBS: Readonly<Record<ActivityKind, string>> = {
  registered: 'were registered',
  assigned: 'were assigned',
  released: 'were released',
  failed: 'failed',
  recovered: 'are available again',
  changed: 'changed',
  deleted: 'were deleted',
  online: 'came online',
  away: 'went offline',
  acknowledged: 'acknowledged their assignments',
  ended: 'ended their commands',
};

/** Describes a group of several entries: `50 VMs were assigned`. */
export function describeGroup(group: ActivityGroup): string {
  const hostnames = new Set(group.map(({ hostname }) => hostname));
  return `${formatQuantity(hostnames.size, 'VM')} ${VERBS[group[0].kind]}`;
}
