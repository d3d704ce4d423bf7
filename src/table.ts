// Tables as text: columns as wide as their widest cell, for a terminal or in Markdown. Pure.

/** Characters, not UTF-16 units. */
const countCharacters = (text: string): number => Array.from(text).length;

/**
 * Pads each cell to the width of its column: before the text if the column's `isRight` is true,
 * behind it otherwise.
 */
export function alignCells(
  lines: readonly (readonly string[])[],
  isRight: readonly boolean[],
): string[][] {
  const widths = isRight.map((_, column) =>
    lines.reduce((width, line) => Math.max(width, countCharacters(line[column] ?? '')), 0),
  );
  return lines.map((line) =>
    widths.map((width, column) => {
      const text = line[column] ?? '';
      const spaces = ' '.repeat(width - countCharacters(text));
      return isRight[column] === true ? spaces + text : text + spaces;
    }),
  );
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
