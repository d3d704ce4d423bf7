// The subcommand `openapi` prints the document without a database and without configuration.

import t from 'tap';
import { VERSION } from '../../src/version.js';
import { runCommand, temporaryFolder } from '../helpers/process.js';

t.test('openapi prints the document of this version, and leaves nothing behind', async (t) => {
  const program = runCommand(t, ['openapi'], { PATH: '' }, await temporaryFolder(t));
  t.same(await program.exited, { code: 0, signal: null });
  t.equal(program.stderr, '');
  t.match(JSON.parse(program.stdout), {
    openapi: '3.1.0',
    info: { title: 'lablink-gateway', version: VERSION },
    paths: { '/v1/assignments': { post: { operationId: 'assign' } } },
  });
});
