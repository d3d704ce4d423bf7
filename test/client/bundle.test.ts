// The size and the content of the client's bundle for browsers.

import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import t from 'tap';

const MAX_BYTES = 10_000;
/** From the protocol, only modules with constants. `ws` has a stub for browsers. */
const ALLOWED =
  /^src\/(client\/|time\/backoff\.ts$)|^src\/protocol\/(close-codes|names|paths)\.ts$|^node_modules\/ws\/browser\.js$/;

t.test('the bundle is small, and has only constants of the protocol', async (t) => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/client/index.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    metafile: true,
  });
  const [{ contents } = { contents: new Uint8Array() }] = outputFiles;
  const bytes = gzipSync(contents).length;
  t.comment(`${bytes} bytes gzipped`);
  t.ok(bytes > 1_000 && bytes < MAX_BYTES, `${bytes} bytes gzipped`);
  t.same(
    Object.keys(metafile.inputs).filter((input) => !ALLOWED.test(input)),
    [],
  );
});
