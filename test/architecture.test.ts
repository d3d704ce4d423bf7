// The shape of the program: imports point along the data path, only the configuration reads the
// environment, and every file says first what it is responsible for.

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize, relative } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import ts from 'typescript';

/**
 * The parts of `src` that each part may import: a folder or a file at the top, and below `gateway`
 * and `postgres` a folder of theirs. A part that is not listed imports no other part, and only the
 * roots import it. Packages are free unless they are listed.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  time: [],
  table: [],
  config: ['protocol', 'time'],
  processes: [],
  version: [],
  log: [],
  'gateway/timing': [],
  'gateway/fleet': [],
  'gateway/stale': ['time'],
  'gateway/feed': ['gateway/fleet', 'gateway/stale', 'gateway/database', 'postgres', 'time'],
  'gateway/hub': ['gateway/fleet', 'protocol'],
  'gateway/session': ['gateway/hub', 'gateway/fleet', 'gateway/auth', 'protocol'],
  'gateway/presence': ['gateway/fleet', 'gateway/stale', 'gateway/database', 'postgres', 'time'],
  'gateway/http': [
    'gateway/session',
    'gateway/hub',
    'gateway/fleet',
    'gateway/stale',
    'gateway/auth',
    'gateway/database',
    'config',
    'postgres',
    'protocol',
  ],
  'gateway/auth': ['protocol', 'config', 'processes'],
  'gateway/revocations': ['time'],
  'gateway/metrics': [],
  'gateway/database': ['postgres', 'time'],
  postgres: [],
  'postgres/migrations': ['postgres'],
  'postgres/embedded': ['postgres', 'processes'],
  'postgres/admin': ['postgres', 'postgres/embedded', 'postgres/migrations', 'processes'],
  client: ['protocol', 'time'],
  agent: ['client', 'processes', 'protocol'],
  dashboard: ['client', 'protocol'],
  loadtest: [
    'gateway/auth',
    'gateway/database',
    'client',
    'postgres',
    'postgres/embedded',
    'protocol',
    'time',
    'table',
  ],
  demo: ['client', 'protocol'],
  cli: [
    'agent',
    'client',
    'config',
    'demo',
    'time',
    'gateway',
    'gateway/auth',
    'gateway/database',
    'loadtest',
    'log',
    'postgres',
    'postgres/admin',
    'postgres/embedded',
    'postgres/migrations',
    'processes',
    'protocol',
    'table',
  ],
};
/** The composition roots import every part: they put the parts together. */
const ROOTS = ['gateway', 'main'];
/** Parts that run elsewhere too, in browsers for example, and so import few packages. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  protocol: ['typebox', 'typebox/compile'],
  'gateway/fleet': [],
  'gateway/hub': [],
  'gateway/session': [],
  client: ['ws'],
  dashboard: [
    'preact',
    'preact/hooks',
    'uplot',
    'uplot/dist/uPlot.min.css',
    'dashboard/styles/main.css',
    '@tanstack/virtual-core',
  ],
  'gateway/metrics': ['prom-client'],
  log: [],
};

interface Source {
  readonly path: string;
  readonly part: string;
  readonly text: string;
  /** Paths below `src`, and names of packages. */
  readonly imports: readonly string[];
}

/**
 * The part that a file belongs to: `gateway/hub` for `gateway/hub/hub.ts`, `gateway` for
 * `gateway/gateway.ts`.
 */
function findPart(path: string): string {
  const segments = path.split('/');
  const isFloor = segments[0] === 'gateway' || segments[0] === 'postgres';
  if (isFloor && segments.length > 2) return segments.slice(0, 2).join('/');
  return path === 'gateway/timing.ts'
    ? 'gateway/timing'
    : (segments[0]?.replace(/\.ts$/, '') ?? '');
}

/** The file of ours that an import of `.js` means. */
function resolveImport(imported: string, names: readonly string[]): string {
  const path = imported.replace(/\.js$/, '.ts');
  return names.includes(`${path}x`) ? `${path}x` : path;
}

async function sources(): Promise<Source[]> {
  const names = await readdir('src', { recursive: true });
  return Promise.all(
    names
      .filter((name) => /\.tsx?$/.test(name))
      .map(async (path) => {
        const text = await readFile(join('src', path), 'utf8');
        const imports = ts
          .preProcessFile(text)
          .importedFiles.map(({ fileName }) =>
            fileName.startsWith('.')
              ? resolveImport(normalize(join(dirname(path), fileName)), names)
              : fileName,
          );
        return { path, part: findPart(path), text, imports };
      }),
  );
}

const execute = promisify(execFile);
const all = await sources();
const paths = new Set(all.map(({ path }) => path));

t.test('imports point along the data path', async (t) => {
  for (const { path, part, imports } of all) {
    if (ROOTS.includes(part)) continue;
    const allowed = ALLOWED[part] ?? [];
    for (const imported of imports.filter((name) => paths.has(name))) {
      const target = findPart(imported);
      if (target !== part && !allowed.includes(target)) t.fail(`${path} imports ${imported}`);
    }
  }
  t.ok(all.length > 40, 'the sources were found');
});

t.test('the pure parts, and those for browsers, import few packages', async (t) => {
  for (const { path, part, imports } of all) {
    const allowed = PACKAGES[part];
    const packages = imports.filter((name) => !paths.has(name));
    for (const name of packages) {
      if (allowed !== undefined && !allowed.includes(name)) t.fail(`${path} imports ${name}`);
    }
  }
});

t.test('no file imports itself, however far around', async (t) => {
  const byPath = new Map(all.map((source) => [source.path, source]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) t.fail([...trail.slice(trail.indexOf(path)), path].join(' → '));
    if (done.has(path) || trail.includes(path)) return;
    const imports = byPath.get(path)?.imports.filter((name) => paths.has(name)) ?? [];
    for (const name of imports) visit(name, [...trail, path]);
    done.add(path);
  };
  for (const path of paths) visit(path, []);
  t.same([...done].sort(), [...paths].sort());
});

t.test('only the configuration reads the environment', async (t) => {
  const reads = /\bprocess\s*(\?\.|\.|\[\s*['"`])\s*env\b|from 'node:process'/;
  const readers = all.filter(({ text }) => reads.test(text)).map(({ path }) => path);
  t.same(readers, ['config/load.ts']);
});

t.test('every file says first what it is responsible for', async (t) => {
  for (const { path, text } of all) {
    t.match(text, /^(#!.*\n\n?)?\/\/ \S/, `${relative('.', path)} opens with a sentence`);
  }
});

t.test('an exported name has one meaning', async (t) => {
  // A name that a file only exports again is the same thing.
  const { stdout } = await execute(process.execPath, ['.ci/measure.js', '--list', 'names']);
  t.equal(stdout, '');
});

t.test('no file stands beside a folder of its own name', async (t) => {
  const folders = new Set([...paths].map((path) => dirname(path)));
  for (const path of paths) {
    if (folders.has(path.replace(/\.tsx?$/, '')))
      t.fail(`${path} stands beside a folder of its name`);
  }
});
