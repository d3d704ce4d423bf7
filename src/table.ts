// Tables as text: columns as wide as their widest cell, for a terminal or in Markdown. A wide
// character, as in Chinese, counts as two columns. Pure.

import stringWidth from 'string-width';

/** A column is never cut to fewer columns than this. */
const MIN_WIDTH = 8;

function measureColumn(lines: readonly (readonly string[])[], column: number): number {
  return lines.reduce((width, line) => Math.max(width, stringWidth(line[column] ?? '')), 0);
}

/**
 * Pads each cell to the width of its column: before the text if the column's `isRight` is true,
 * behind it otherwise.
 */
export function alignCells(
  lines: readonly (readonly string[])[],
  isRight: readonly boolean[],
): string[][] {
  const widths = isRight.map((_, column) => measureColumn(lines, column));
  return lines.map((line) =>
    widths.map((width, column) => {
      const text = line[column] ?? '';
      const spaces = ' '.repeat(width - stringWidth(text));
      return isRight[column] === true ? spaces + text : text + spaces;
    }),
  );
}

/**
 * Cuts cells so that each line fits `maxWidth` columns, with `gap` columns between two cells. The
 * widest columns give way first, down to 8 columns each; then lines may be longer.
 */
export function fitCells(
  lines: readonly (readonly string[])[],
  maxWidth: number,
  gap: number,
): string[][] {
  const count = Math.max(0, ...lines.map(({ length }) => length));
  const widths = Array.from({ length: count }, (_, column) => measureColumn(lines, column));
  const room = maxWidth - gap * Math.max(0, count - 1);
  const total = (limit: number): number =>
    widths.reduce((sum, width) => sum + Math.min(width, limit), 0);
  let limit = Math.max(MIN_WIDTH, ...widths);
  while (limit > MIN_WIDTH && total(limit) > room) limit--;
  return lines.map((line) => line.map((text) => cutText(text, limit)));
}

const GRAPHEMES = new Intl.Segmenter();

/** Cuts `text` to `width` columns; the last one is then an ellipsis. */
function cutText(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let cut = '';
  let used = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    used += stringWidth(segment);
    if (used > width - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}

/**
 * A table in Markdown, which reads well in a terminal too. The first line is the heading. The first
 * column is aligned to the left, the others to the right.
 */
export function formatMarkdownTable(lines: readonly (readonly string[])[]): string[] {
  const isRight = (lines[0] ?? []).map((_, column) => column > 0);
  const [head = [], ...body] = alignCells(lines, isRight);
  const rule = head.map((cell, column) =>
    isRight[column] === true ? `${'-'.repeat(cell.length - 1)}:` : '-'.repeat(cell.length),
  );
  return [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`);
}
