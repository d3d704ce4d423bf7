// Finds the comments of a file in any language. A comment is a block, or a run of consecutive line
// comments. Its lines come without the markers, and each knows its place in the file.

import { extname } from 'node:path';
import ts from 'typescript';
import { isCode, parseCode } from './files.js';

/** Comments for tools and not for people. */
const DIRECTIVE = /^\s*(eslint-|prettier-|@ts-|!|@license|#!|vim:|shellcheck )/;

/**
 * The comments of a file: each is a list of lines `{ line, column, text }`, line and column counted
 * from 1. Empty for a language without a rule here.
 */
export function readComments(path, text) {
  return joinRuns(text, findRanges(path, text))
    .map((ranges) => ranges.flatMap((range) => readLines(text, range)))
    .filter(
      (lines) => lines.some((line) => /\w/.test(line.text)) && !DIRECTIVE.test(lines[0].text),
    );
}

/** Start and end of each comment, markers included. */
function findRanges(path, text) {
  if (isCode(path)) return findCodeRanges(path, text);
  if (extname(path) === '.css') return findAll(text, /\/\*[^]*?\*\//g);
  if (extname(path) === '.sql')
    return findAll(text, /'(?:[^']|'')*'|--[^\n]*|\/\*[^]*?\*\//g, /^'/);
  if (extname(path) === '.py') {
    return findAll(text, /(?<=^[ \t]*)"""[^]*?"""|'[^'\n]*'|"[^"\n]*"|#[^\n]*/gm, /^['"](?!"")/);
  }
  if (/\.(sh|ya?ml|conf|cfg|ini|tf|service|timer)$|Dockerfile|\.ci\/(check|run)$/.test(path)) {
    return findAll(text, /(?<=^[ \t]*)#[^\n]*/gm);
  }
  return [];
}

function findAll(text, pattern, except) {
  return [...text.matchAll(pattern)]
    .filter(([match]) => except === undefined || !except.test(match))
    .map((match) => ({ pos: match.index, end: match.index + match[0].length }));
}

/**
 * Comments stand between tokens; text between JSX tags is a token of its own, and its slashes are
 * not comments.
 */
function findCodeRanges(path, text) {
  const tree = parseCode(path, text);
  const found = new Map();
  const add = (ranges) => ranges?.forEach((range) => found.set(range.pos, range));
  const visit = (node) => {
    if (node.kind === ts.SyntaxKind.JsxText) return;
    if (node.getChildCount(tree) === 0) {
      add(ts.getLeadingCommentRanges(text, node.getFullStart()));
      add(ts.getTrailingCommentRanges(text, node.getEnd()));
    }
    node.getChildren(tree).forEach(visit);
  };
  visit(tree);
  return [...found.values()].sort((a, b) => a.pos - b.pos);
}

/** Line comments on consecutive lines, with nothing but spaces between them, are one comment. */
function joinRuns(text, ranges) {
  const runs = [];
  for (const range of ranges) {
    const before = runs.at(-1)?.at(-1);
    const isLine = (other) => /^(\/\/|--|#)/.test(text.slice(other.pos, other.pos + 2));
    const between = before && text.slice(before.end, range.pos);
    if (before && isLine(before) && isLine(range) && /^\n?[ \t]*$/.test(between)) {
      runs.at(-1).push(range);
    } else {
      runs.push([range]);
    }
  }
  return runs;
}

/**
 * The lines of one range, without the markers. A tag such as `@throws` is no word of the sentence
 * either.
 */
function readLines(text, { pos, end }) {
  const head = text.slice(0, pos);
  const firstLine = head.split('\n').length;
  const firstColumn = pos - (head.lastIndexOf('\n') + 1);
  return text
    .slice(pos, end)
    .split('\n')
    .map((raw, index) => {
      const marker = /^\s*(\/\/+|\/\*+|\*+(?!\/)|--+|#+|""")?\s*(@\w+)?/.exec(raw)[0].length;
      const content = raw.slice(marker).replace(/\s*(\*\/|""")?\s*$/, '');
      return {
        line: firstLine + index,
        column: (index === 0 ? firstColumn : 0) + marker + 1,
        text: content,
        opensWithTag: /@\w+$/.test(raw.slice(0, marker)),
      };
    });
}
