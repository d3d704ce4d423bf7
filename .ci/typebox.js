// Bundles TypeBox's 683 files into a few for the tests. Every file passes through each loader of
// the test runner, which took a second of CPU in each process that uses a schema. The bundle is
// made once and cached below node_modules.

import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { register } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));
const { version, exports: entries } = JSON.parse(
  readFileSync(join(MODULES, 'typebox/package.json'), 'utf8'),
);
const KEPT = join(MODULES, `.cache/lablink-gateway/typebox-${version}`);

/** Writes the bundle under another name and renames it, so that no process reads half of it. */
async function make() {
  const { build } = await import('esbuild');
  const making = `${KEPT}-${process.pid}`;
  await build({
    entryPoints: Object.entries(entries).map(([name, { default: path }]) => ({
      in: join(MODULES, 'typebox', path),
      out: name === '.' ? 'index' : name,
    })),
    outdir: making,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    logLevel: 'silent',
  });
  try {
    renameSync(making, KEPT);
  } catch {
    rmSync(making, { recursive: true, force: true }); // Another test file was quicker.
  }
}

/** Modules of another user keep nothing: TypeBox is read as it is. */
async function isThere() {
  try {
    if (!existsSync(KEPT)) await make();
    return true;
  } catch {
    return false;
  }
}

// The thread of the loaders imports this file too, for what follows.
if (isMainThread && (await isThere())) register(import.meta.url);

/** The runner's loaders are asked after this one. */
export function resolve(specifier, context, nextResolve) {
  const [name, entry = 'index'] = specifier.split('/');
  if (name !== 'typebox') return nextResolve(specifier, context);
  return {
    url: pathToFileURL(join(KEPT, `${entry}.mjs`)).href,
    format: 'module',
    shortCircuit: true,
  };
}
