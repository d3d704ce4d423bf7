// Bundles the dashboard into dist/dashboard. Scripts, styles and fonts have names that change with
// their content, and the page refers to them by these names. Each text file is also compressed, so
// that the gateway need not compress it for each request.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const SOURCE = 'src/dashboard';
const TARGET = 'dist/dashboard';

await rm(TARGET, { recursive: true, force: true });
const { metafile } = await build({
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
});

const outputs = Object.keys(metafile.outputs).map((path) => basename(path));
/** The address of the file that was built from a source, relative to the page. */
const findOutput = (source) => {
  const [name, extension] = source.split(/\.(?=\w+$)/);
  const found = outputs.find((file) => file.startsWith(`${name}-`) && file.endsWith(extension));
  if (found === undefined) throw new Error(`index.html refers to ${source}, which was not built`);
  return `assets/${found}`;
};
const page = await readFile(join(SOURCE, 'index.html'), 'utf8');
await writeFile(
  join(TARGET, 'index.html'),
  page.replace(/(?<=(?:src|href)=")built:([^"]+)/g, (_whole, source) => findOutput(source)),
);

const texts = outputs.filter((file) => /\.(js|css|svg)$/.test(file));
for (const path of [...texts.map((file) => join('assets', file)), 'index.html']) {
  const content = await readFile(join(TARGET, path));
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
  await writeFile(join(TARGET, `${path}.br`), brotliCompressSync(content, quality));
  await writeFile(join(TARGET, `${path}.gz`), gzipSync(content));
}
