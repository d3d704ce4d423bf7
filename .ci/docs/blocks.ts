// Generated blocks in Markdown: `<!-- generated: NAME -->` opens one, `<!-- end -->` closes it.
// Everything between the two markers belongs to the generator; everything else is left as it is.
// Pure.

/** Returns the Markdown of the block with this name. */
export type Generate = (name: string) => Promise<string> | string;

const BLOCK = /^<!-- generated: ([\w-]+) -->$([\s\S]*?)^<!-- end -->$/gm;
const MARKER = /^<!-- (?:generated: .*|end) -->$/gm;

/** The names of the blocks in a document, in order. */
export function blockNames(text: string): string[] {
  return [...text.matchAll(BLOCK)].map(([, name = '']) => name);
}

/**
 * Fills every block of a document.
 * @throws Error if a marker has no partner, because the text after it would silently go stale.
 */
export async function fillBlocks(text: string, generate: Generate): Promise<string> {
  const names = blockNames(text);
  const markers = text.match(MARKER)?.length ?? 0;
  if (markers !== 2 * names.length) throw new Error('a marker of a generated block has no partner');
  const contents: string[] = [];
  for (const name of names) contents.push(await generate(name));
  let next = 0;
  return text.replace(BLOCK, (_block, name: string) => {
    const content = contents[next++] ?? '';
    return `<!-- generated: ${name} -->\n\n${content.trim()}\n\n<!-- end -->`;
  });
}
