// Checks the English of comments and Markdown files by the rules in source/prose-rules.js.
//
//   npm run prose                every file; warnings are counted
//   npm run prose -- FILE…       these files, with their warnings

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { parseArgs } from 'node:util';
import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import remarkRetext from 'remark-retext';
import retextEnglish from 'retext-english';
import retextIndefiniteArticle from 'retext-indefinite-article';
import retextRepeatedWords from 'retext-repeated-words';
import { unified } from 'unified';
import { VFile } from 'vfile';
import { readComments } from './source/comments.js';
import { listFiles, readText } from './source/files.js';
import { forbiddenOpenings, forbiddenWords, sentenceLength } from './source/prose-rules.js';

const CACHE = 'node_modules/.cache/prose.json';
const MAX_COLUMNS = 100;
const WARNINGS = ['length'];

const { positionals } = parseArgs({ allowPositionals: true });
const english = unified()
  .use(retextEnglish)
  .use(forbiddenWords)
  .use(forbiddenOpenings)
  .use(sentenceLength)
  .use(retextRepeatedWords)
  .use(retextIndefiniteArticle);
const prose = unified().use(remarkParse).use(remarkGfm).use(remarkRetext, english);
await main();

async function main() {
  const cache = readCache();
  const found = [];
  for (const path of positionals.length > 0 ? positionals : listFiles()) {
    const text = readText(path);
    const key = createHash('sha256').update(path).update(text).digest('base64url');
    const known = cache.before[path];
    const findings = known?.key === key ? known.findings : await check(path, text);
    cache.after[path] = { key, findings };
    found.push(...findings.map((finding) => ({ path, ...finding })));
  }
  if (positionals.length === 0) writeCache(cache);
  const isWarning = ({ rule }) => WARNINGS.includes(rule);
  const errors = found.filter((finding) => !isWarning(finding));
  for (const { path, line, rule, reason } of positionals.length > 0 ? found : errors) {
    console.log(`${path}:${line} ${reason} (${rule})`);
  }
  const long = found.length - errors.length;
  if (found.length > 0) console.log(`Prose: ${errors.length} errors, ${long} long sentences.`);
  if (errors.length > 0) process.exitCode = 1;
}

/** Checks one file. Returns its findings: `{ line, rule, reason }`. */
async function check(path, text) {
  if (extname(path) === '.md') return checkProse(text, (line) => line);
  const comments = readComments(path, text);
  if (comments.length === 0) return [];
  // The comments of a file become one document, each a paragraph or more of its own.
  const lines = comments.flatMap((comment) => [...comment, { line: 0, text: '' }]);
  const document = lines.map(({ text, opensWithTag }) => (opensWithTag ? `- ${text}` : text));
  return [
    ...(await checkProse(document.join('\n'), (line) => lines[line - 1]?.line ?? 0)),
    ...checkColumns(text, comments),
  ].sort((a, b) => a.line - b.line);
}

async function checkProse(text, findLine) {
  const file = new VFile(text);
  await prose.run(prose.parse(file), file);
  return file.messages.map(({ line, ruleId, reason }) => ({
    line: findLine(line),
    rule: ruleId,
    reason,
  }));
}

function checkColumns(text, comments) {
  const lines = text.split('\n');
  return comments
    .flat()
    .map(({ line }) => ({ line, columns: [...lines[line - 1]].length }))
    .filter(({ columns }) => columns > MAX_COLUMNS)
    .map(({ line, columns }) => ({
      line,
      rule: 'column',
      reason: `the comment ends at column ${columns}; npm run wrap wraps it at ${MAX_COLUMNS}`,
    }));
}

/** The findings of the last run, for files that have not changed since, while no rule has. */
function readCache() {
  const rules = ['prose.js', 'source/prose-rules.js', 'source/comments.js'].map((name) =>
    readFileSync(new URL(name, import.meta.url), 'utf8'),
  );
  const version = createHash('sha256').update(rules.join('\0')).digest('base64url');
  const empty = { version, before: {}, after: {} };
  try {
    const stored = JSON.parse(readFileSync(CACHE, 'utf8'));
    return stored.version === version ? { ...empty, before: stored.files } : empty;
  } catch {
    return empty;
  }
}

function writeCache({ version, after }) {
  mkdirSync(dirname(CACHE), { recursive: true });
  writeFileSync(CACHE, JSON.stringify({ version, files: after }));
}
