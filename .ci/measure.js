// Measures how the code is laid out, named and written, and prints each figure beside its limit.
//
//   npm run measure                   every figure, with the first offenders where it is past
//   npm run measure -- --list names   every offender of a figure, with file and line
//   npm run measure -- --hold         exit code 1 when a figure is past its limit

import { readdirSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { parseArgs } from 'node:util';
import { readComments } from './source/comments.js';
import { isCode, listFiles, parseCode, readText } from './source/files.js';
import { readExports, readFunctions, readImports } from './source/functions.js';
import { readProse } from './source/markdown.js';

const ROOT_FILE = 'src/gateway/gateway.ts';
/** A table of routes or metrics is long because it is a table. */
const TABLES = /^src\/gateway\/(http\/routes|metrics)\//;
const FORBIDDEN = /\b(whoever|whom|nobody|somebody|anew|none that|of which)\b/gi;
const OPENINGS = /^(Of|Those|That of|What|One|Who|Whoever)\b(?!-)/;
/** How many offenders are printed for a figure that is past its limit. */
const SHOWN = 5;

const files = listFiles();
const texts = new Map(files.map((path) => [path, readText(path)]));
const code = files.filter(isCode);
const trees = new Map(code.map((path) => [path, parseCode(path, texts.get(path))]));
const inSource = (path) => path.startsWith('src/');
const comments = files.flatMap((path) =>
  readComments(path, texts.get(path)).map((lines) => ({ path, lines })),
);
const documents = files.filter((path) => extname(path) === '.md');

const figures = [
  measureRooms(),
  measureCycles(),
  measureLongFunctions(),
  measureRoot(),
  measureNames(),
  measureOf(),
  measureWords(),
  measureOpenings(),
  measureColumns(),
  measureReadme(),
];
report();

/** A figure holds when its value is at most `limit`, or below it where `below` is set. */
function holds({ value, limit, below }) {
  return below ? value < limit : value <= limit;
}

function report() {
  const { values } = parseArgs({
    options: { list: { type: 'string' }, hold: { type: 'boolean' } },
  });
  if (values.list !== undefined) {
    const figure = figures.find(({ name }) => name === values.list);
    const known = figures.map(({ name }) => name).join(', ');
    if (figure === undefined) throw new Error(`No figure ${values.list}; there are ${known}.`);
    figure.offenders.forEach((offender) => console.log(offender));
    return;
  }
  for (const figure of figures) {
    const { name, title, value, limit, below, unit = '', offenders } = figure;
    const mark = holds(figure) ? 'ok  ' : 'PAST';
    const bound = `${below ? '<' : '≤'} ${limit}${unit}`;
    const shown = Number.isInteger(value) ? value : value.toFixed(2);
    console.log(
      `${mark} ${name.padEnd(9)} ${`${shown}${unit}`.padStart(8)}  ${bound.padEnd(9)} ${title}`,
    );
    if (holds(figure)) continue;
    offenders.slice(0, SHOWN).forEach((offender) => console.log(`       ${offender}`));
    const more = offenders.length - SHOWN;
    if (more > 0) console.log(`       and ${more} more: npm run measure -- --list ${name}`);
  }
  if (values.hold && !figures.every(holds)) process.exitCode = 1;
}

function measureRooms() {
  const entries = readdirSync('src').map((entry) => `src/${entry}`);
  return {
    name: 'rooms',
    title: 'entries at the top of src',
    value: entries.length,
    limit: 18,
    offenders: entries,
  };
}

function measureCycles() {
  const paths = new Set(code);
  const imports = new Map(code.map((path) => [path, readImports(path, texts.get(path), paths)]));
  const rooms = new Map();
  for (const [path, targets] of [...imports].filter(([path]) => inSource(path))) {
    const room = findRoom(path);
    const reached = rooms.get(room) ?? new Set();
    targets.map(findRoom).forEach((target) => target !== room && reached.add(target));
    rooms.set(room, reached);
  }
  const offenders = [...findCycles(imports), ...findCycles(rooms)];
  return {
    name: 'cycles',
    title: 'import cycles between files, and between folders of src',
    value: offenders.length,
    limit: 0,
    offenders,
  };
}

/**
 * A file in a folder's root is a room by itself: gateway.ts imports its floors, and timing.ts is
 * imported by them.
 */
function findRoom(path) {
  const segments = dirname(path).split('/');
  const isFloor = segments[1] === 'gateway' || segments[1] === 'postgres';
  if (segments.length <= (isFloor ? 2 : 1)) return path;
  return segments.slice(0, isFloor ? 3 : 2).join('/');
}

function findCycles(graph) {
  const found = [];
  const done = new Set();
  const visit = (node, trail) => {
    if (trail.includes(node)) found.push([...trail.slice(trail.indexOf(node)), node].join(' → '));
    if (done.has(node) || trail.includes(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}

function measureLongFunctions() {
  const offenders = code
    .filter((path) => inSource(path) && path !== ROOT_FILE && !TABLES.test(path))
    .flatMap((path) => readFunctions(trees.get(path)).map((one) => ({ path, ...one })))
    .filter(({ length }) => length > 60)
    .map(
      ({ path, line, name, length }) => `${path}:${line} ${name ?? 'a callback'}, ${length} lines`,
    );
  return {
    name: 'long',
    title: 'functions of src over 60 lines, but tables of routes and metrics',
    value: offenders.length,
    limit: 0,
    offenders,
  };
}

function measureRoot() {
  const tree = trees.get(ROOT_FILE);
  const functions = readFunctions(tree).sort((a, b) => b.length - a.length);
  return {
    name: 'root',
    title: `lines of the longest function of ${ROOT_FILE}`,
    value: functions[0]?.length ?? 0,
    limit: 120,
    offenders: functions
      .filter(({ length }) => length > 20)
      .map(({ name, line, length }) => `${ROOT_FILE}:${line} ${name}, ${length} lines`),
  };
}

function measureNames() {
  const places = new Map();
  for (const path of code.filter(inSource)) {
    for (const { name, line } of readExports(trees.get(path))) {
      places.set(name, [...(places.get(name) ?? []), `${path}:${line}`]);
    }
  }
  const offenders = [...places]
    .filter(([, list]) => list.length > 1)
    .map(([name, list]) => `${name}: ${list.join(' ')}`)
    .sort();
  return {
    name: 'names',
    title: 'exported names that more than one file declares',
    value: offenders.length,
    limit: 0,
    offenders,
  };
}

function measureOf() {
  const named = code
    .filter((path) => inSource(path) || path.startsWith('test/'))
    .flatMap((path) => readFunctions(trees.get(path)).map((one) => ({ path, ...one })))
    .filter(({ name }) => name !== undefined);
  const offenders = named.filter(({ name }) => /[a-z0-9]Of$/.test(name));
  return {
    name: 'of',
    title: `function names that end in Of, of ${named.length} named functions`,
    value: (100 * offenders.length) / named.length,
    limit: 1,
    below: true,
    unit: ' %',
    offenders: offenders.map(({ path, line, name }) => `${path}:${line} ${name}`),
  };
}

function measureWords() {
  const offenders = [];
  let words = 0;
  const read = (path, line, text) => {
    words += text.match(/[\w’'-]*[a-z][\w’'-]*/gi)?.length ?? 0;
    for (const [word] of text.matchAll(FORBIDDEN))
      offenders.push(`${path}:${line} ${word.toLowerCase()}`);
  };
  for (const { path, lines } of comments) {
    lines.forEach(({ line, text }) => read(path, line, text));
  }
  for (const path of documents) {
    readProse(texts.get(path))
      .split('\n')
      .forEach((text, index) => read(path, index + 1, text));
  }
  return {
    name: 'words',
    title: `of whoever, whom, nobody, somebody, anew, none that, of which in 1,000 words (${words} read)`,
    value: (1000 * offenders.length) / words,
    limit: 0.1,
    below: true,
    offenders,
  };
}

function measureOpenings() {
  const opened = comments.map(({ path, lines }) => ({
    path,
    ...lines.find(({ text }) => /\w/.test(text)),
  }));
  const offenders = opened.filter(({ text }) => OPENINGS.test(text));
  return {
    name: 'openings',
    title: `of ${opened.length} comments open with Of, Those, That of, What, One, Who`,
    value: (100 * offenders.length) / opened.length,
    limit: 1,
    below: true,
    unit: ' %',
    offenders: offenders.map(({ path, line, text }) => `${path}:${line} ${text}`),
  };
}

function measureColumns() {
  const offenders = comments.flatMap(({ path, lines }) => {
    const all = texts.get(path).split('\n');
    return lines
      .filter(({ line }) => [...all[line - 1]].length > 100)
      .map(({ line }) => `${path}:${line} ${[...all[line - 1]].length} columns`);
  });
  return {
    name: 'columns',
    title: 'lines with a comment that end past column 100',
    value: offenders.length,
    limit: 0,
    offenders,
  };
}

function measureReadme() {
  const bytes = Buffer.byteLength(texts.get('README.md'));
  return {
    name: 'readme',
    title: 'bytes of README.md',
    value: bytes,
    limit: 8000,
    offenders: [`README.md ${bytes} bytes`],
  };
}
