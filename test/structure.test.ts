// The shape of the program: imports point along the data path, nobody else reads the environment, and every file
// says first what it is responsible for.

import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize, relative } from 'node:path';
import t from 'tap';
import ts from 'typescript';

/**
 * What each part of `src`, a folder or a file at its top, may import of the others. One that is not listed imports none
 * and is imported by none but the roots. Packages are free but where they are listed.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  fleet: [],
  feed: ['fleet'],
  hub: ['fleet', 'protocol'],
  session: ['hub', 'fleet', 'protocol', 'auth'],
  auth: ['protocol', 'config'],
  database: ['processes'],
  processes: [],
  agent: ['client', 'processes', 'protocol'],
  client: ['protocol'],
  config: ['protocol'],
  http: ['session', 'hub', 'fleet', 'protocol', 'auth', 'config', 'database'],
  loadtest: ['auth', 'client', 'database', 'protocol'],
  presence: [],
  'presence-tracker': ['presence', 'database'],
  'queue-alarm': ['feed', 'database'],
  dashboard: ['client', 'protocol'],
  demo: ['client', 'protocol'],
  cli: [
    'agent',
    'app',
    'auth',
    'client',
    'config',
    'database',
    'demo',
    'loadtest',
    'log',
    'protocol',
  ],
  'flush-pace': [],
  timing: [],
  version: [],
  metrics: [],
  delivery: [],
  log: [],
};
/** These may import whatever they like: they put the parts together. */
const ROOTS = ['app', 'main'];
/** Parts that are taken elsewhere, into browsers for one, and so import few packages. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  protocol: ['typebox', 'typebox/compile'],
  fleet: [],
  hub: [],
  session: [],
  presence: [],
  client: ['ws'],
  dashboard: [
    'preact',
    'preact/hooks',
    'uplot',
    'uplot/dist/uPlot.min.css',
    'dashboard/styles/main.css',
    '@tanstack/virtual-core',
  ],
  metrics: ['prom-client'],
  delivery: [],
  log: [],
};

interface Source {
  readonly path: string;
  readonly part: string;
  readonly text: string;
  /** Paths below `src`, and names of packages. */
  readonly imports: readonly string[];
}

const partOf = (path: string): string => path.split('/')[0]?.replace(/\.ts$/, '') ?? '';

/** The file of ours that an import of `.js` means. */
function sourceOf(imported: string, names: readonly string[]): string {
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
              ? sourceOf(normalize(join(dirname(path), fileName)), names)
              : fileName,
          );
        return { path, part: partOf(path), text, imports };
      }),
  );
}

const all = await sources();
const paths = new Set(all.map(({ path }) => path));

t.test('imports point along the data path', async (t) => {
  for (const { path, part, imports } of all) {
    if (ROOTS.includes(part)) continue;
    const allowed = ALLOWED[part] ?? [];
    for (const imported of imports.filter((name) => paths.has(name))) {
      const target = partOf(imported);
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
  t.same(readers, ['config.ts']);
});

t.test('every file says first what it is responsible for', async (t) => {
  for (const { path, text } of all) {
    t.match(text, /^(#!.*\n\n?)?\/\/ \S/, `${relative('.', path)} opens with a sentence`);
  }
});
