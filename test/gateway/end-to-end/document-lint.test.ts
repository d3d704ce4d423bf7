// Linters of API descriptions find nothing in the OpenAPI and AsyncAPI documents.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import t from 'tap';
import { buildOpenApiDocument } from '../../../src/cli/openapi.js';
import { createAsyncApiDocument } from '../../../src/protocol/asyncapi.js';
import { run, temporaryFolder } from '../../helpers/process.js';

const folder = await temporaryFolder(t);
const documents = { openapi: await buildOpenApiDocument(), asyncapi: createAsyncApiDocument() };
for (const [name, document] of Object.entries(documents))
  await writeFile(join(folder, `${name}.json`), JSON.stringify(document));
const files = Object.keys(documents).map((name) => join(folder, `${name}.json`));

/** Where `.ci/run` installs Spectral, which is as large as a fifth of all other packages. */
const SPECTRAL = resolve('node_modules/.cache/spectral/node_modules/.bin/spectral');
const skip = existsSync(SPECTRAL) ? false : 'Spectral is not installed';

t.test('Redocly', async (t) => {
  const env = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  // Strict: a warning is an error.
  const args = ['lint', '--extends=recommended-strict', ...files];
  const linter = run(t, resolve('node_modules/.bin/redocly'), args, { env, cwd: folder });
  const { code } = await linter.exited;
  t.equal(code, 0, linter.stdout + linter.stderr);
});

t.test('Spectral', { skip }, async (t) => {
  const ruleset = resolve('.ci/spectral.yaml');
  const args = ['lint', '--fail-severity=warn', `--ruleset=${ruleset}`, ...files];
  const linter = run(t, SPECTRAL, args);
  const { code } = await linter.exited;
  t.equal(code, 0, linter.stdout + linter.stderr);
});
