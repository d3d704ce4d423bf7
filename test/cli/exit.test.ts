// The exit code of each failure, and its message.

import { createServer } from 'node:net';
import { once } from 'node:events';
import { CommanderError, InvalidArgumentError } from 'commander';
import pg from 'pg';
import t from 'tap';
import { selectExitCode, explainError, UsageError } from '../../src/cli/exit.js';
import { ConfigError } from '../../src/config/load.js';
import { EmbeddedError } from '../../src/postgres/embedded/errors.js';
import { DatabaseWaitError } from '../../src/cli/wait-for-database.js';
import { SchemaError } from '../../src/postgres/migrations/migrate.js';

const withCode = (code: string) => Object.assign(new Error(`failed with ${code}`), { code });

t.test('a wrong command line or configuration ends with 2', async (t) => {
  t.equal(selectExitCode(new UsageError('no')), 2);
  t.equal(selectExitCode(new ConfigError(['PORT is bad'])), 2);
  t.equal(selectExitCode(new CommanderError(1, 'commander.unknownOption', 'no')), 2);
  t.equal(selectExitCode(new InvalidArgumentError('no')), 2);
  for (const code of [
    '28P01',
    '28000',
    '3D000',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ])
    t.equal(selectExitCode(withCode(code)), 2, code);
  t.equal(selectExitCode(new CommanderError(0, 'commander.helpDisplayed', '')), 0);
});

t.test('an unusable schema ends with 4', async (t) => {
  t.equal(selectExitCode(new SchemaError('schema_older', 'run db migrate')), 4);
});

t.test('a database that cannot be reached ends with 3', async (t) => {
  for (const code of [
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EPIPE',
    '08006',
    '08P01',
    '53300',
    '57P01',
    '57P03',
  ]) {
    t.equal(selectExitCode(withCode(code)), 3, code);
  }
  t.equal(selectExitCode(new Error('Connection terminated unexpectedly')), 3);
  t.equal(selectExitCode(new Error('Connection terminated due to connection timeout')), 3);
  t.equal(selectExitCode(new Error('timeout exceeded when trying to connect')), 3);
  t.equal(selectExitCode(new EmbeddedError('busy', 'it runs already')), 3);
  const refused = new DatabaseWaitError('late', { cause: withCode('28P01') });
  t.equal(selectExitCode(refused), 3, 'after the start waited, whatever the cause');
});

/** Finds a port on loopback on which no process listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

t.test('the errors that pg really throws end with 3', async (t) => {
  const port = await freePort();
  for (const config of [
    { host: 'localhost', port },
    { host: '127.0.0.1', port },
    { host: t.testdir({}), port },
    { host: 'nowhere.invalid', port },
  ]) {
    const client = new pg.Client({ ...config, user: 'u', password: 'p', database: 'd' });
    const error: unknown = await client.connect().catch((reason: unknown) => reason);
    t.equal(selectExitCode(error), 3, config.host);
    t.match(explainError(error), /\w+/);
    t.notMatch(explainError(error), '\n', 'one line');
  }
});

t.test('a server that hangs up ends with 3', async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'u', database: 'd' });
  t.equal(selectExitCode(await client.connect().catch((reason: unknown) => reason)), 3);
});

t.test('a server without TLS, if TLS is required, ends with 2', async (t) => {
  // The answer to an SSLRequest: PostgreSQL, "Message Flow", "SSL Session Encryption".
  const server = createServer((socket) => socket.once('data', () => socket.end('N')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'u', database: 'd', ssl: true });
  t.equal(selectExitCode(await client.connect().catch((reason: unknown) => reason)), 2);
});

t.test('a port that is taken ends with 2', async (t) => {
  const first = createServer().listen(0, '127.0.0.1');
  await once(first, 'listening');
  t.teardown(() => first.close());
  const second = createServer();
  const failed = once(second, 'error');
  second.listen(first.address());
  const error: unknown = (await failed)[0];
  t.equal(selectExitCode(error), 2);
  t.match(explainError(error), /^Port \d+ of \S+ is taken: choose another with --port/);
});

t.test('an address that cannot be reached is named', async (t) => {
  const port = await freePort();
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'u', database: 'd' });
  const error: unknown = await client.connect().catch((reason: unknown) => reason);
  const place = `127.0.0.1:${port}`;
  t.equal(
    explainError(error),
    `${place} cannot be reached: no process listens there (ECONNREFUSED).`,
  );
});

t.test('an unexpected error ends with 1, and is printed in full', async (t) => {
  const bug = new TypeError('x is not a function', { cause: new Error('deeper') });
  t.equal(selectExitCode(bug), 1);
  t.match(explainError(bug), 'x is not a function');
  t.match(explainError(bug), /at .*exit\.test/);
  t.match(explainError(bug), 'deeper');
  for (const thrown of [undefined, null, 'text', 7, {}]) t.equal(selectExitCode(thrown), 1);
  t.equal(explainError('text'), "'text'");
  t.equal(selectExitCode(withCode('23505')), 1);
  t.equal(selectExitCode(withCode('ENOENT')), 1);
});

t.test('an expected error is printed as its message only', async (t) => {
  t.equal(
    explainError(new UsageError('Only an agent has a --hostname.')),
    'Only an agent has a --hostname.',
  );
  t.equal(explainError(new SchemaError('schema_older', 'run db migrate')), 'run db migrate');
});
