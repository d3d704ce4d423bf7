// Compiles TypeScript for the tests, without checking types, and caches the output below
// node_modules. Each test file is a process of its own that loads most of `src`. Without the cache,
// each would take a second of CPU to compile it again.

const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { version } = require('typescript/package.json');

const CACHE = join(__dirname, '../node_modules/.cache/lablink-gateway/compiled');

/** The interface that the test runner's loader expects: "Third-party transpilers" of ts-node. */
exports.create = ({ service }) => {
  const options = { ...service.config.options, module: 99 /* ESNext */, sourceMap: true };
  const dialect = JSON.stringify([version, options]);
  return {
    transpile(input, { fileName }) {
      const key = createHash('sha256').update(JSON.stringify([dialect, fileName, input]));
      const kept = join(CACHE, key.digest('hex'));
      const known = read(kept);
      if (known !== undefined) return known;
      const { transpileModule } = require('typescript');
      const { outputText, sourceMapText } = transpileModule(input, {
        fileName,
        compilerOptions: options,
      });
      keep(kept, { outputText, sourceMapText });
      return { outputText, sourceMapText };
    },
  };
};

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // The entry is missing or damaged: compile again.
  }
}

/**
 * Writes an entry under another name and renames it, so that no process reads half of it. Without
 * the right to write below node_modules, nothing is cached.
 */
function keep(path, output) {
  const half = `${path}.${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(half, JSON.stringify(output));
    renameSync(half, path);
  } catch {
    // The next one compiles it again.
  }
}
