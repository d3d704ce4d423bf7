// Wraps comments at column 100: `npm run wrap -- FILE…`. Only paragraphs with a longer line change.
// Lists, drawings and comments behind code stay as they are, and are printed for a person to mend.

import { readFileSync, writeFileSync } from 'node:fs';
import { readComments } from './source/comments.js';

const COLUMNS = 100;
/** A line that begins for a reason: a list, a tag, a table, a drawing, an indented example. */
const FIXED = /^(\s{2,}|[-*•|] |\d+\. |@)|\S {3,}\S|[─│▶└├]/;

for (const path of process.argv.slice(2)) {
  const text = readFileSync(path, 'utf8');
  const source = text.split('\n');
  // From the end, so that the lines before keep their numbers.
  for (const lines of readComments(path, text).reverse()) wrapComment(path, source, lines);
  if (source.join('\n') !== text) writeFileSync(path, source.join('\n'));
}

function wrapComment(path, source, lines) {
  for (const paragraph of splitParagraphs(source, lines).reverse()) {
    if (!paragraph.some(({ line }) => [...source[line - 1]].length > COLUMNS)) continue;
    const [first] = paragraph;
    const raw = source[first.line - 1];
    if (paragraph.some(({ text }) => FIXED.test(text)) || !/^\s*(\/\/|\/?\*|--|#)/.test(raw)) {
      console.log(`${path}:${first.line} ${raw.trim()}`);
      continue;
    }
    source.splice(first.line - 1, paragraph.length, ...wrapParagraph(source, paragraph));
  }
}

/**
 * Runs of lines with text, between empty ones; a line of a list or of a drawing stands by itself.
 */
function splitParagraphs(source, lines) {
  const paragraphs = [[]];
  for (const line of lines) {
    const isFixed = FIXED.test(line.text);
    if (line.text.trim() === '' || isFixed || line.opensWithTag) paragraphs.push([]);
    if (line.text.trim() !== '') paragraphs.at(-1).push(line);
  }
  return paragraphs.filter((paragraph) => paragraph.length > 0);
}

/** The marker of the first line goes before it, that of the block before the others. */
function wrapParagraph(source, paragraph) {
  const raw = source[paragraph[0].line - 1];
  const indent = /^\s*/.exec(raw)[0];
  const marker = raw
    .slice(indent.length)
    .match(/^(\/\*\*?|\*|\/\/+|--|#+) ?/)[0]
    .trimEnd();
  const isBlock = marker.startsWith('/*') || marker === '*';
  const last = source[paragraph.at(-1).line - 1];
  const closes = isBlock && /\*\/\s*$/.test(last);
  const opens = marker.startsWith('/*');
  const words = paragraph
    .map(({ line }) => source[line - 1].replace(/^\s*(\/\*\*?|\*|\/\/+|--|#+)\s?/, ''))
    .join(' ')
    .replace(/\s*\*\/\s*$/, '')
    .split(/\s+/)
    .filter((word) => word !== '');
  const prefix = isBlock ? `${indent}${opens ? ' ' : ''}* ` : `${indent}${marker} `;
  const wrapped = fill(words, COLUMNS - prefix.length).map((line) => prefix + line);
  // The end of a block that opens earlier stands behind a `*`, whose place is the prefix's.
  return [
    ...(opens ? [indent + marker] : []),
    ...wrapped,
    ...(closes ? [`${prefix.trimEnd()}/`] : []),
  ];
}

function fill(words, width) {
  const lines = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && [...last].length + 1 + [...word].length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}
