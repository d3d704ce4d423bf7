// What of a row a watcher may see: all of it, or a dashboard's columns. The cut-down text is made once a change,
// and only when a dashboard looks.

import type { VmEntry } from '../fleet/entry.js';

export type Projection = 'full' | 'dashboard';

/** Gives a row's JSON text as a view shows it. */
export type RowProjector = (entry: VmEntry, view: Projection) => string;

/** @param columns the allow-list of a dashboard, in the order they appear in its rows. */
export function createRowProjector(columns: readonly string[]): RowProjector {
  const project = createColumnFilter(columns);
  return (entry, view) =>
    view === 'full' ? entry.row : (entry.dashboardRow ??= project(entry.row));
}

/**
 * Makes what cuts a row's JSON text, a valid object, down to some of its columns; one the row lacks is left out. Members
 * stay as they are written: a number too large for a double keeps its digits, and no depth of nesting is too deep.
 */
export function createColumnFilter(columns: readonly string[]): (row: string) => string {
  const places = new Map(columns.map((column, place) => [JSON.stringify(column), place]));
  const none = columns.map(() => undefined);
  return (row) => {
    const kept: (string | undefined)[] = none.slice();
    let place: number | undefined;
    let start = row.indexOf('{') + 1;
    let depth = 0;
    for (let at = start - 1; at < row.length; at++) {
      const code = row.charCodeAt(at);
      if (code === QUOTE) at = findStringEnd(row, at);
      else if (code === OPEN_OBJECT || code === OPEN_LIST) depth++;
      else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth--;
      if (code === COLON && depth === 1) place = places.get(row.slice(start, at).trim());
      else if ((code === COMMA && depth === 1) || (code === CLOSE_OBJECT && depth === 0)) {
        if (place !== undefined) kept[place] = row.slice(start, at);
        place = undefined;
        start = at + 1;
      }
    }
    // Joined, the text is one piece; a sum of strings would stay a tree of them for as long as the row is kept.
    return `{${kept.filter((member) => member !== undefined).join(',')}}`;
  };
}

/** Character codes: to compare those takes half the time of comparing characters. */
const [QUOTE, COLON, COMMA, OPEN_OBJECT, OPEN_LIST, CLOSE_OBJECT, CLOSE_LIST] = [
  0x22, 0x3a, 0x2c, 0x7b, 0x5b, 0x7d, 0x5d,
];

/** Where the string that opens at `open` closes: at the first quote behind an even number of backslashes. */
function findStringEnd(text: string, open: number): number {
  let end = open;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end === -1) throw new SyntaxError('a string without an end');
    let before = end - 1;
    while (text[before] === '\\') before--;
    if ((end - before) % 2 === 1) return end;
  }
}
