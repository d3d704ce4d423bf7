// What of a row a watcher may see: all of it, or a dashboard's columns. The cut-down text is made once a change,
// and only when a dashboard looks.

import type { VmEntry } from '../fleet/entry.js';

export type View = 'full' | 'dashboard';

/** Gives a row's JSON text as a view shows it. */
export type RowText = (entry: VmEntry, view: View) => string;

/** @param columns the allow-list of a dashboard, in the order they appear in its rows. */
export function createRowText(columns: readonly string[]): RowText {
  const project = createProjection(columns);
  return (entry, view) =>
    view === 'full' ? entry.row : (entry.dashboardRow ??= project(entry.row));
}

/**
 * Makes what cuts a row's JSON text, an object, down to some of its columns; one the row lacks is left out. Values stay
 * as they are written: a number too large for a double keeps its digits, and no depth of nesting is too deep.
 */
export function createProjection(columns: readonly string[]): (row: string) => string {
  const names = columns.map((column) => JSON.stringify(column));
  return (row) => {
    const values = membersOf(row);
    let kept = '';
    for (const name of names) {
      const value = values.get(name);
      if (value !== undefined) kept += `${kept === '' ? '' : ','}${name}:${value}`;
    }
    return `{${kept}}`;
  };
}

/** Character codes: to compare those takes half the time of comparing characters. */
const [QUOTE, COLON, COMMA, OPEN_OBJECT, OPEN_LIST, CLOSE_OBJECT, CLOSE_LIST] = [
  0x22, 0x3a, 0x2c, 0x7b, 0x5b, 0x7d, 0x5d,
];

/** The members of an object's JSON text, which must be valid: names and values as they are written. */
function membersOf(object: string): Map<string, string> {
  const members = new Map<string, string>();
  let name = '';
  let start = object.indexOf('{') + 1;
  let depth = 0;
  for (let at = start - 1; at < object.length; at++) {
    const code = object.charCodeAt(at);
    if (code === QUOTE) at = endOfString(object, at);
    else if (code === OPEN_OBJECT || code === OPEN_LIST) depth++;
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth--;
    if (code === COLON && depth === 1) {
      name = object.slice(start, at).trim();
      start = at + 1;
    } else if ((code === COMMA && depth === 1) || (code === CLOSE_OBJECT && depth === 0)) {
      members.set(name, object.slice(start, at));
      start = at + 1;
    }
  }
  return members;
}

/** Where the string that opens at `open` closes: at the first quote behind an even number of backslashes. */
function endOfString(text: string, open: number): number {
  let end = open;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end === -1) throw new SyntaxError('a string without an end');
    let before = end - 1;
    while (text[before] === '\\') before--;
    if ((end - before) % 2 === 1) return end;
  }
}
