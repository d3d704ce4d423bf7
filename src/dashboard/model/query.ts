// Which VMs are shown, and in what order.

import { groupStatus, STATUS_GROUPS, type StatusGroup } from './fleet-counters.js';
import type { VmRecord } from './vm-record.js';

export const COLUMNS = ['hostname', 'status', 'email', 'agent', 'delivery', 'changed'] as const;
export type Column = (typeof COLUMNS)[number];

export interface Query {
  /** Empty: whatever the status. */
  readonly statuses: readonly StatusGroup[];
  readonly agent: 'online' | 'away' | undefined;
  /** Only assignments that wait for an acknowledgement. */
  readonly waiting: boolean;
  /** Words that must all be found; as typed. */
  readonly search: string;
  readonly sort: Column;
  readonly descending: boolean;
}

export const DEFAULT_QUERY: Query = {
  statuses: [],
  agent: undefined,
  waiting: false,
  search: '',
  sort: 'hostname',
  descending: false,
};

export function isFiltered({ statuses, agent, waiting, search }: Query): boolean {
  return statuses.length > 0 || agent !== undefined || waiting || search.trim() !== '';
}

/** The query with this status asked for too, or no longer. */
export function toggleStatus(query: Query, status: StatusGroup): Query {
  const statuses = query.statuses.includes(status)
    ? query.statuses.filter((other) => other !== status)
    : [...query.statuses, status];
  return { ...query, statuses };
}

/** The same column again turns the order around; times begin with the latest. */
export function sortBy(query: Query, sort: Column): Query {
  const descending = query.sort === sort ? !query.descending : sort === 'changed';
  return { ...query, sort, descending };
}

export type Matcher = (record: VmRecord) => boolean;

export function createMatcher({ statuses, agent, waiting, search }: Query): Matcher {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (record) =>
    (statuses.length === 0 || statuses.includes(groupStatus(record))) &&
    (agent === undefined || record.online === (agent === 'online')) &&
    (!waiting || record.waiting) &&
    words.every((word) => record.searchText.includes(word));
}

export type Comparator = (one: VmRecord, other: VmRecord) => number;

/** A whole order: the hostname decides where the column does not. */
export function createComparator({ sort, descending }: Query): Comparator {
  const key = KEYS[sort];
  const direction = descending ? -1 : 1;
  return (one, other) =>
    compareKeys(key(one), key(other), direction) ||
    compareKeys(one.sortKey, other.sortKey, sort === 'hostname' ? direction : 1) ||
    compareKeys(one.hostname, other.hostname, 1);
}

type Key = string | number | undefined;

const STAGES = ['made', 'pushed', 'acknowledged', 'ended', 'none'];

/** What each column sorts by; undefined comes last either way. */
const KEYS: Readonly<Record<Column, (record: VmRecord) => Key>> = {
  hostname: (record) => record.sortKey,
  status: (record) => `${STATUS_GROUPS.indexOf(groupStatus(record))} ${record.vm.status}`,
  email: (record) => record.vm.email?.toLowerCase(),
  agent: (record) => (record.presence === undefined ? undefined : computeAgentKey(record)),
  delivery: (record) => (record.stage === 'none' ? undefined : STAGES.indexOf(record.stage)),
  changed: (record) => record.changedAtMs,
};

/** Those online first, the longest first; then those away. */
function computeAgentKey({ online, sinceMs }: VmRecord): number {
  const since = sinceMs ?? Number.MAX_SAFE_INTEGER / 2;
  return online ? since - Number.MAX_SAFE_INTEGER / 2 : since;
}

function compareKeys(one: Key, other: Key, direction: 1 | -1): number {
  if (one === other) return 0;
  if (one === undefined) return 1;
  if (other === undefined) return -1;
  return one < other ? -direction : direction;
}
