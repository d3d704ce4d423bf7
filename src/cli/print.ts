// The output of commands: aligned tables for people, JSON for programs. Control characters are
// always escaped. Only a terminal gets colours, and lines cut to its width.

import { styleText } from 'node:util';
import { alignCells, fitCells } from '../table.js';
import { escapeControls } from './escape-controls.js';

export type TableCell = string | number | null | undefined;

/** Prints a line for people. */
export function printLine(text: string): void {
  process.stdout.write(`${escapeControls(text)}\n`);
}

/** Prints information for people on stderr, apart from the output for programs. */
export function printInfo(text: string): void {
  process.stderr.write(`${escapeControls(text)}\n`);
}

/** Prints a value on one line. JSON allows some control characters; their escapes are JSON too. */
export function printJson(value: unknown): void {
  process.stdout.write(`${escapeControls(JSON.stringify(value))}\n`);
}

const GAP = '  ';

/**
 * Prints a table with aligned columns; numbers are aligned to the right. On a terminal its lines
 * are cut to the width, and the heading is bold, unless NO_COLOR is set.
 */
export function printTable(
  headers: readonly string[],
  rows: readonly (readonly TableCell[])[],
): void {
  const texts = [headers, ...rows.map((row) => row.map(formatCell))];
  const { isTTY, columns } = process.stdout;
  const fitted = isTTY ? fitCells(texts, columns, GAP.length) : texts;
  const isNumber = headers.map((_header, column) =>
    rows.every((row) => typeof row[column] === 'number'),
  );
  const [heading = [], ...lines] = alignCells(fitted, isNumber);
  const format = (cells: readonly string[]): string => cells.join(GAP).trimEnd();
  printStyled(format(heading));
  for (const cells of lines) process.stdout.write(`${format(cells)}\n`);
}

/** Node decides by the stream, NO_COLOR and FORCE_COLOR whether the text becomes bold. */
function printStyled(heading: string): void {
  process.stdout.write(`${styleText('bold', heading, { stream: process.stdout })}\n`);
}

function formatCell(cell: TableCell): string {
  return cell === null || cell === undefined || cell === '' ? '-' : escapeControls(String(cell));
}

/** Prints a table, or its heading alone and on stderr a sentence that says why it is empty. */
export function printList(
  headers: readonly string[],
  rows: readonly (readonly TableCell[])[],
  ifEmpty: string,
): void {
  printTable(headers, rows);
  if (rows.length === 0) printInfo(ifEmpty);
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Formats bytes like pg_size_pretty: in units of 1,024. */
export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  const number = bytes / 1_024 ** power;
  return `${number < 10 && power > 0 ? number.toFixed(1) : Math.round(number)} ${UNITS[power] ?? ''}`;
}

/** Formats a count with its noun: `1 row`, `2 rows`. */
export function formatCount(count: number, word: string, plural = `${word}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? word : plural}`;
}

/** Formats a duration; short ones are more precise. */
export function formatSeconds(seconds: number | null): string {
  if (seconds === null) return '-';
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
