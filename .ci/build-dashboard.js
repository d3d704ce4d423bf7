// Bundles the dashboard into dist/dashboard. Scripts, styles and fonts have names that change with
// their content, and the page refers to them by these names. Each text file is also compressed, so
// that the gateway need not compress it for each request. With --watch, bundles again after
// changes.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build, context } from 'esbuild';

const SOURCE = 'src/dashboard';
const TARGET = 'dist/dashboard';

const options = {
  entryPoints: [join(SOURCE, 'main.tsx'), join(SOURCE, 'icon.svg')],
  outdir: join(TARGET, 'assets'),
  entryNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  loader: { '.woff2': 'file', '.svg': 'copy' },
  bundle: true,
  minify: true,
  sourcemap: true,
  format: 'esm',
  platform: 'browser',
  target: ['chrome123', 'firefox121', 'safari17.5'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  metafile: true,
};

await rm(TARGET, { recursive: true, force: true });
if (process.argv.includes('--watch')) {
  const finish = {
    name: 'finish',
    setup: ({ onEnd }) => onEnd(({ metafile }) => (metafile ? finishBuild(metafile) : undefined)),
  };
  const watched = await context({ ...options, logLevel: 'info', plugins: [finish] });
  await watched.watch();
} else {
  const { metafile } = await build(options);
  await finishBuild(metafile);
}

/** Writes the page, and the compressed files beside those that were bundled. */
async function finishBuild(metafile) {
  const outputs = Object.keys(metafile.outputs).map((path) => basename(path));
  const page = await readFile(join(SOURCE, 'index.html'), 'utf8');
  const text = page.replace(
    /(?<=(?:src|href)=")built:([^"]+)/g,
    (_whole, source) => `assets/${findOutput(outputs, source)}`,
  );
  await writeFile(join(TARGET, 'index.html'), text);
  const texts = outputs.filter((file) => /\.(js|css|svg)$/.test(file));
  for (const path of [...texts.map((file) => join('assets', file)), 'index.html']) {
    const content = await readFile(join(TARGET, path));
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
    await writeFile(join(TARGET, `${path}.br`), brotliCompressSync(content, quality));
    await writeFile(join(TARGET, `${path}.gz`), gzipSync(content));
  }
}

/** The file that was built from a source. */
function findOutput(outputs, source) {
  const [name, extension] = source.split(/\.(?=\w+$)/);
  const found = outputs.find((file) => file.startsWith(`${name}-`) && file.endsWith(extension));
  if (found === undefined) throw new Error(`index.html refers to ${source}, which was not built`);
  return found;
}
