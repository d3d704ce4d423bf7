// The query of the table: which VMs are shown, and in which order.

import { groupStatus, STATUS_GROUPS, type StatusGroup } from './fleet-counters.js';
import type { VmRecord } from './vm-record.js';

export const COLUMNS = ['hostname', 'status', 'email', 'agent', 'delivery', 'changed'] as const;
export type Column = (typeof COLUMNS)[number];

/** The orders: by a column, or the VMs that need attention first. */
export const ORDERS = ['attention', ...COLUMNS] as const;
export type Order = (typeof ORDERS)[number];

export interface Query {
  /** Empty for all statuses. */
  readonly statuses: readonly StatusGroup[];
  readonly agent: 'online' | 'away' | undefined;
  /** Only VMs whose assignment has not been acknowledged. */
  readonly waiting: boolean;
  /** Only VMs with a danger. */
  readonly attention: boolean;
  /** The search as typed; a VM must contain all its words. */
  readonly search: string;
  readonly sort: Order;
  readonly descending: boolean;
}

export const DEFAULT_QUERY: Query = {
  statuses: [],
  agent: undefined,
  waiting: false,
  attention: false,
  search: '',
  sort: 'attention',
  descending: false,
};

/** Whether the query hides any VM. */
export function isFiltered(query: Query): boolean {
  return countFilters(query) > 0 || query.search.trim() !== '';
}

/** Counts the filters, without the search. */
export function countFilters({ statuses, agent, waiting, attention }: Query): number {
  return statuses.length + [agent !== undefined, waiting, attention].filter(Boolean).length;
}

/** Adds a status to the filter, or removes it. */
export function toggleStatus(query: Query, status: StatusGroup): Query {
  const statuses = query.statuses.includes(status)
    ? query.statuses.filter((other) => other !== status)
    : [...query.statuses, status];
  return { ...query, statuses };
}

/** Sorts by a column; the same column again reverses the order. Times begin with the latest. */
export function sortBy(query: Query, sort: Column): Query {
  const descending = query.sort === sort ? !query.descending : sort === 'changed';
  return { ...query, sort, descending };
}

export type Matcher = (record: VmRecord) => boolean;

/** Creates the test whether a record is shown. */
export function createMatcher(query: Query): Matcher {
  const { statuses, agent, waiting, attention, search } = query;
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (record) =>
    (statuses.length === 0 || statuses.includes(groupStatus(record))) &&
    (agent === undefined || record.online === (agent === 'online')) &&
    (!waiting || record.waiting) &&
    (!attention || record.dangers.length > 0) &&
    words.every((word) => record.searchText.includes(word));
}

export type Comparator = (a: VmRecord, b: VmRecord) => number;

/** Creates a total order: hostnames decide between records with equal values. */
export function createComparator({ sort, descending }: Query): Comparator {
  const key = KEYS[sort];
  const direction = descending ? -1 : 1;
  return (a, b) =>
    compareKeys(key(a), key(b), direction) ||
    compareKeys(a.sortKey, b.sortKey, sort === 'hostname' ? direction : 1) ||
    compareKeys(a.hostname, b.hostname, 1);
}

type Key = string | number | undefined;

const STAGES = ['made', 'pushed', 'acknowledged', 'ended', 'none'];

/** The value that each order sorts by; undefined comes last in both directions. */
const KEYS: Readonly<Record<Order, (record: VmRecord) => Key>> = {
  attention: (record) => (record.dangers.length > 0 ? 0 : undefined),
  hostname: (record) => record.sortKey,
  status: (record) => `${STATUS_GROUPS.indexOf(groupStatus(record))} ${record.vm.status}`,
  email: (record) => record.vm.email?.toLowerCase(),
  agent: (record) => (record.presence === undefined ? undefined : computeAgentKey(record)),
  delivery: (record) => (record.stage === 'none' ? undefined : STAGES.indexOf(record.stage)),
  changed: (record) => record.changedAtMs,
};

/** Orders online agents before offline ones, and each by how long they have been so. */
function computeAgentKey({ online, sinceMs }: VmRecord): number {
  const since = sinceMs ?? Number.MAX_SAFE_INTEGER / 2;
  return online ? since - Number.MAX_SAFE_INTEGER / 2 : since;
}

function compareKeys(a: Key, b: Key, direction: 1 | -1): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return a < b ? -direction : direction;
}
