// How tests read TypeScript: compiled without a look at the types, once, and kept beside the
// modules. Each test file is a process of its own that loads most of `src`; to compile it anew took
// a second of CPU in every one of them.

const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { version } = require('typescript/package.json');

const CACHE = join(__dirname, '../node_modules/.cache/lablink-gateway/compiled');

/** What the test runner's loader asks for: see "Third-party transpilers" of ts-node. */
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
    return undefined; // Not there yet, or half gone: it is made again.
  }
}

/**
 * Written beside its place and renamed, so that nobody reads half of it. Modules of another user
 * keep nothing.
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
