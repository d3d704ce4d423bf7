// The rows of the table, filtered and sorted. A change moves only the changed rows: with 10,000
// rows a frame costs one pass and no sorting.

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

  /** The rows to show, in order; a new array after every change. */
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

  /**
   * Updates the rows. Called once per frame.
   * @param changed the records that were added, changed or removed.
   */
  apply(changed: ReadonlySet<VmRecord>): void {
    if (changed.size === 0) return;
    const added = [...changed].filter((record) => this.#isShown(record)).sort(this.#compare);
    this.#rows = mergeSorted(
      this.#rows.filter((record) => !changed.has(record)),
      added,
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

/** Merges few added records into many sorted ones, by binary search. */
function mergeSorted(
  kept: readonly VmRecord[],
  added: readonly VmRecord[],
  compare: Comparator,
): readonly VmRecord[] {
  if (added.length === 0) return kept;
  const merged: VmRecord[] = [];
  let from = 0;
  for (const record of added) {
    const to = findInsertIndex(record, kept, from, compare);
    for (const before of kept.slice(from, to)) merged.push(before);
    merged.push(record);
    from = to;
  }
  return merged.concat(kept.slice(from));
}

/** Finds the first index, from `from` on, whose record does not come before the given one. */
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
