// The rows that are shown, in order. A change moves its rows and leaves the others as they are: 10,000 rows cost one walk
// a frame and no sorting.

import {
  createComparator,
  createMatcher,
  type Comparator,
  type Matcher,
  type Query,
} from './query.js';
import type { VmRecord } from './vm-record.js';

export class TableView {
  #rows: readonly VmRecord[] = [];
  #query: Query;
  #matches: Matcher;
  #compare: Comparator;

  constructor(
    private readonly records: ReadonlyMap<string, VmRecord>,
    query: Query,
  ) {
    this.#query = query;
    this.#matches = createMatcher(query);
    this.#compare = createComparator(query);
    this.#rebuild();
  }

  /** Another array after every change. */
  get rows(): readonly VmRecord[] {
    return this.#rows;
  }

  get query(): Query {
    return this.#query;
  }

  set query(query: Query) {
    this.#query = query;
    this.#matches = createMatcher(query);
    this.#compare = createComparator(query);
    this.#rebuild();
  }

  /** @param touched the records that came, changed or went. */
  apply(touched: ReadonlySet<VmRecord>): void {
    if (touched.size === 0) return;
    const coming = [...touched].filter((record) => this.#isShown(record)).sort(this.#compare);
    this.#rows = mergeSorted(
      this.#rows.filter((record) => !touched.has(record)),
      coming,
      this.#compare,
    );
  }

  #isShown(record: VmRecord): boolean {
    return this.records.get(record.hostname) === record && this.#matches(record);
  }

  #rebuild(): void {
    this.#rows = [...this.records.values()].filter(this.#matches).sort(this.#compare);
  }
}

/** One sorted list of two, of which few come: each finds its place by halving. */
function mergeSorted(
  staying: readonly VmRecord[],
  coming: readonly VmRecord[],
  compare: Comparator,
): readonly VmRecord[] {
  if (coming.length === 0) return staying;
  const merged: VmRecord[] = [];
  let from = 0;
  for (const record of coming) {
    const to = findInsertIndex(record, staying, from, compare);
    for (const before of staying.slice(from, to)) merged.push(before);
    merged.push(record);
    from = to;
  }
  return merged.concat(staying.slice(from));
}

/** The index, at or after `from`, of the first that comes after the record. */
function findInsertIndex(
  record: VmRecord,
  sorted: readonly VmRecord[],
  from: number,
  compare: Comparator,
): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = sorted[middle];
    if (other !== undefined && compare(other, record) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
