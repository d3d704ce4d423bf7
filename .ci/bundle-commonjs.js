// Builds the client library as CommonJS too, for programs that load it with `require`: one file,
// and declarations that refer to those of the module.

import { readFile, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const TARGET = 'dist/client/index';

await build({
  entryPoints: [`${TARGET}.js`],
  outfile: `${TARGET}.cjs`,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  // Loaded only where the platform has no WebSocket.
  external: ['ws'],
});

const declarations = await readFile(`${TARGET}.d.ts`, 'utf8');
await writeFile(`${TARGET}.d.cts`, formatDeclarations(readExports(declarations)));

/** Reads the names that a file of declarations exports from others: values, and types alone. */
function readExports(text) {
  const values = [];
  const types = [];
  for (const [, isType, names] of text.matchAll(/^export (type )?\{([^}]*)\} from/gm)) {
    for (const name of names.split(',').map((part) => part.trim())) {
      if (isType || name.startsWith('type ')) types.push(name.replace('type ', ''));
      else values.push(name);
    }
  }
  if (values.length === 0) throw new Error(`no exports in ${TARGET}.d.ts`);
  return { values, types };
}

/** A class, whose name begins with a capital letter, is a type too. */
function formatDeclarations({ values, types }) {
  const from = `from './index.js' with { 'resolution-mode': 'import' };`;
  const lines = values.flatMap((name) => [
    `export declare const ${name}: typeof client.${name};`,
    ...(/^[A-Z]/.test(name) ? [`export type ${name} = client.${name};`] : []),
  ]);
  return `import type * as client ${from}
export type { ${types.join(', ')} } ${from}
${lines.join('\n')}
`;
}
