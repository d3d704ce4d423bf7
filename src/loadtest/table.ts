// Tables in Markdown, which read well in a terminal too.

/** The first line is the heading. The first column is aligned to the left, the others to the right. */
export function table(lines: readonly (readonly string[])[]): string[] {
  const [head = [], ...body] = lines;
  const widths = head.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const row = (cells: readonly string[]): string =>
    `| ${widths.map((width, at) => pad(cells[at] ?? '', width, at === 0)).join(' | ')} |`;
  const rule = widths.map((width, at) =>
    at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [row(head), `| ${rule.join(' | ')} |`, ...body.map(row)];
}

function pad(cell: string, width: number, left: boolean): string {
  return left ? cell.padEnd(width) : cell.padStart(width);
}
