// The rows that are shown, in order. A change moves its rows and leaves the others as they are: 10,000 rows cost one walk
// a frame and no sorting.

import { comparerOf, matcherOf, type Compare, type Matches, type Query } from './query.js';
import type { VmRecord } from './vm-record.js';

export class View {
  #rows: readonly VmRecord[] = [];
  #query: Query;
  #matches: Matches;
  #compare: Compare;

  constructor(
    private readonly records: ReadonlyMap<string, VmRecord>,
    query: Query,
  ) {
    this.#query = query;
    this.#matches = matcherOf(query);
    this.#compare = comparerOf(query);
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
    this.#matches = matcherOf(query);
    this.#compare = comparerOf(query);
    this.#rebuild();
  }

  /** @param touched the records that came, changed or went. */
  apply(touched: ReadonlySet<VmRecord>): void {
    if (touched.size === 0) return;
    const coming = [...touched].filter((record) => this.#isShown(record)).sort(this.#compare);
    this.#rows = merge(
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

/** One sorted list of two. */
function merge(
  staying: readonly VmRecord[],
  coming: readonly VmRecord[],
  compare: Compare,
): readonly VmRecord[] {
  if (coming.length === 0) return staying;
  const merged: VmRecord[] = [];
  let next = 0;
  for (const record of staying) {
    for (let first = coming[next]; first !== undefined; first = coming[++next]) {
      if (compare(first, record) > 0) break;
      merged.push(first);
    }
    merged.push(record);
  }
  return merged.concat(coming.slice(next));
}
