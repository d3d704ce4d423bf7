// Lists and parses the files of the checkout: those that git tracks, and new ones that it does not
// ignore.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';

/** Migrations whose checksums stand in databases: their comments can no longer change. */
const FIXED_MIGRATION = /^schema\/0000(0\d|1[01])_.*\.sql$/;

/**
 * Paths of the files whose comments or text can be improved, relative to the root of the checkout.
 */
export function listFiles() {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return [...new Set(listed.split('\n'))].filter(
    (path) => path !== '' && !FIXED_MIGRATION.test(path) && existsSync(path),
  );
}

export const readText = (path) => readFileSync(path, 'utf8');

export const isCode = (path) => /\.(ts|tsx|js|cjs|mjs)$/.test(path);

/** The syntax tree of one file, with parents. */
export function parseCode(path, text = readText(path)) {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

/** The line of a position, counted from 1. */
export const findLine = (tree, position) => tree.getLineAndCharacterOfPosition(position).line + 1;
