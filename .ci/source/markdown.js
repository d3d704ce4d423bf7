// Reads the prose of a Markdown file: code, addresses and tables' rulers are blanked out, and every
// line stays in its place.

/** The text with everything but prose replaced by spaces. */
export function readProse(text) {
  const blank = (match) => match.replace(/[^\n]/g, ' ');
  return text
    .replace(/^( *)(```|~~~)[^]*?^\1\2[^\n]*$/gm, blank)
    .replace(/<!--[^]*?-->/g, blank)
    .replace(/`[^`\n]*(\n[^`\n]+)?`/g, blank)
    .replace(/\]\([^)]*\)/g, blank)
    .replace(/https?:\/\/\S+/g, blank)
    .replace(/^[|\s:-]+$/gm, blank);
}
