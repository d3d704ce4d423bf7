// Projections: how much of a row a subscriber may see, all of it or a dashboard's columns. The
// reduced text is made once per change, and only if a dashboard is subscribed.

import type { VmEntry } from '../fleet/entry.js';

/** `full`: the whole row, for agents and admins. `dashboard`: the columns of the allow-list. */
export type Projection = 'full' | 'dashboard';

/** Returns a row's JSON text in a projection. */
export type RowProjector = (entry: VmEntry, projection: Projection) => string;

/** @param columns the allow-list of a dashboard, in the order they appear in its rows. */
export function createRowProjector(columns: readonly string[]): RowProjector {
  const filterColumns = createColumnFilter(columns);
  return (entry, projection) =>
    projection === 'full' ? entry.row : (entry.dashboardRow ??= filterColumns(entry.row));
}

/**
 * Creates a function that reduces a row's JSON text, a valid object, to the given columns. Columns
 * that the row lacks are left out. Values are copied as text: numbers too large for a double keep
 * their digits, and nesting has no maximum depth. The function throws a SyntaxError if a string in
 * the text has no end.
 */
export function createColumnFilter(columns: readonly string[]): (row: string) => string {
  const indexes = new Map(columns.map((column, index) => [JSON.stringify(column), index]));
  const none = columns.map(() => undefined);
  return (row) => {
    const members: (string | undefined)[] = none.slice();
    let index: number | undefined;
    let start = row.indexOf('{') + 1;
    let depth = 0;
    for (let at = start - 1; at < row.length; at++) {
      const code = row.charCodeAt(at);
      if (code === QUOTE) at = findStringEnd(row, at);
      else if (code === OPEN_OBJECT || code === OPEN_LIST) depth++;
      else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth--;
      if (code === COLON && depth === 1) index = indexes.get(row.slice(start, at).trim());
      else if ((code === COMMA && depth === 1) || (code === CLOSE_OBJECT && depth === 0)) {
        if (index !== undefined) members[index] = row.slice(start, at);
        index = undefined;
        start = at + 1;
      }
    }
    // Joined, the text is one flat string; concatenation would keep a tree of slices in memory.
    return `{${members.filter((member) => member !== undefined).join(',')}}`;
  };
}

// Character codes: comparing them takes half the time of comparing characters.
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const OPEN_LIST = 0x5b;
const CLOSE_OBJECT = 0x7d;
const CLOSE_LIST = 0x5d;

/** Finds the closing quote of a string: the first one after an even number of backslashes. */
function findStringEnd(text: string, open: number): number {
  let end = open;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end === -1) throw new SyntaxError('unterminated string in a row');
    let before = end - 1;
    while (text[before] === '\\') before--;
    if ((end - before) % 2 === 1) return end;
  }
}
