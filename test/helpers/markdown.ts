// Markdown as tests read it: sections, tables, fenced code, links and the anchors of headings.
// Fenced code is not taken for headings or links.

/** A fenced block of code. */
export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** The fenced blocks of a document, in order. */
export function readCodeBlocks(document: string): CodeBlock[] {
  return [...document.matchAll(FENCE)].map(([, language = '', text = '']) => ({ language, text }));
}

/** The text under a heading of the second level, up to the next one. */
export function readSection(document: string, heading: string): string {
  const section = document.split(`\n## ${heading}\n`)[1];
  if (section === undefined) throw new Error(`no section is called ${heading}`);
  return section.split('\n## ')[0] ?? '';
}

/**
 * The rows of all tables in a text, without their headings; each row its cells, without backticks.
 */
export function readTableRows(text: string): string[][] {
  return text
    .split(/\n(?!\|)/)
    .map((block) => block.split('\n').filter((line) => line.startsWith('|')))
    .flatMap((lines) => lines.slice(2))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

/** Where the links and images of a document lead. */
export function readLinks(document: string): string[] {
  const prose = document.replaceAll(FENCE, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The anchors of a document's headings, as GitHub makes them. */
export function readAnchors(document: string): string[] {
  const headings = document.replaceAll(FENCE, '').matchAll(/^#+ (.*)$/gm);
  const seen = new Map<string, number>();
  return [...headings].map(([, heading = '']) => {
    const anchor = heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}
