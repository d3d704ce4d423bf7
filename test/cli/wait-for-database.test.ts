// A start whose database cannot be used: what the log says, how often it is tried, and how it ends.

import pg from 'pg';
import t from 'tap';
import {
  DatabaseWaitError,
  formatAddress,
  waitForDatabase,
} from '../../src/cli/wait-for-database.js';
import { SchemaError } from '../../src/postgres/migrations/migrate.js';
import { startServer } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { runCommand, type Program } from '../helpers/process.js';

const SECRET = 'a secret that only tests know, of enough bytes';

interface Line {
  readonly level: number;
  readonly msg: string;
}

/** The warnings and errors in the log of a program. */
const readWarnings = ({ stderr }: Program): Line[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ level }) => level >= 40);

t.test(
  'a database that cannot be used ends the start with 3, and a line for each try',
  async (t) => {
    const { createDatabase } = await startServer(t);
    const { config } = await createDatabase();
    const { host = '' } = config;
    const place = `host=${encodeURIComponent(host)}&port=${config.port}`;
    const port = await freePort();
    const cases = [
      ['lablink', `${host}:${config.port}`, 'there_is_none', place, 'does not exist'],
      ['no_such_role', `${host}:${config.port}`, config.database, place, 'no_such_role'],
      ['lablink', `127.0.0.1:${port}`, 'x', `host=127.0.0.1&port=${port}`, 'ECONNREFUSED'],
      ['lablink', 'nowhere.invalid:5432', 'x', 'host=nowhere.invalid&port=5432', 'nowhere.invalid'],
    ] as const;
    for (const [user, at, database, query, reason] of cases) {
      const gateway = runCommand(t, ['serve'], {
        PORT: '0',
        JWT_SECRET: SECRET,
        DATABASE_WAIT_SECONDS: '2',
        DATABASE_URL: `postgresql://${user}:planted-password@localhost/${database}?${query}`,
      });
      t.match(await gateway.exited, { code: 3 }, reason);
      const [first, ...others] = readWarnings(gateway);
      t.match(first?.msg, `waiting for the database ${user}@${at}/${database}: `);
      for (const { msg } of [first ?? { msg: '' }, ...others]) t.match(msg, reason);
      t.ok(others.length <= 5, `not tried often: ${others.length}`);
      t.match(gateway.stderr, `The database ${user}@${at}/${database} could not be used for 2 s`);
      t.notMatch(gateway.stderr, /"stack"|\n\s+at /, 'no stack');
      t.notMatch(gateway.stdout + gateway.stderr, 'planted-password');
    }
  },
);

t.test('the address of the queries is waited for too', async (t) => {
  const { createDatabase } = await startServer(t);
  const { config } = await createDatabase();
  const gateway = runCommand(t, ['serve'], {
    PORT: '0',
    JWT_SECRET: SECRET,
    DATABASE_WAIT_SECONDS: '0',
    DATABASE_URL: `postgresql://${config.user}@127.0.0.1:1/${config.database}`,
    LISTEN_DATABASE_URL: `postgresql://localhost/?host=${encodeURIComponent(String(config.host))}&port=${config.port}`,
  });
  t.match(await gateway.exited, { code: 3 });
  t.match(gateway.stderr, `The database lablink@127.0.0.1:1/${config.database} could not be used`);
});

t.test('a standby is waited for, because it may be promoted', async (t) => {
  const { createDatabase } = await startServer(t);
  const { config, adminConfig } = await createDatabase({ migrate: false });
  const admin = new pg.Client(adminConfig);
  await admin.connect();
  t.teardown(() => admin.end());
  await admin.query('ALTER ROLE lablink SET default_transaction_read_only = on');
  const gateway = runCommand(t, ['serve'], {
    PORT: '0',
    JWT_SECRET: SECRET,
    PGHOST: config.host,
    PGPORT: String(config.port),
    PGUSER: config.user,
    PGDATABASE: config.database,
  });
  await gateway.until(({ stderr }) => /waiting for the database .* read-only/.test(stderr));
  await admin.query('ALTER ROLE lablink RESET default_transaction_read_only');
  await gateway.until(({ stdout }) => stdout.includes('Gateway'));
});

const connection = { user: 'u', host: 'h', port: 1, database: 'd', password: 'secret' };

t.test('a schema that cannot be used ends the wait, one that is locked does not', async (t) => {
  const warnings: unknown[] = [];
  const log = { warn: (...line: unknown[]) => void warnings.push(line) };
  const { signal } = new AbortController();
  const wait = { connection, maxWaitMs: 0, log, signal };
  const older = new SchemaError('schema_older', 'run db migrate');
  await t.rejects(
    waitForDatabase(wait, () => Promise.reject(older)),
    older,
  );
  t.same(warnings, []);
  const locked = new SchemaError('schema_locked', 'vms stayed locked');
  const attempts = [() => Promise.reject(locked), () => Promise.resolve('migrated')];
  const result = await waitForDatabase(wait, () => attempts.shift()?.() ?? Promise.reject(older));
  t.equal(result, 'migrated');
  t.same(warnings, [['waiting for the database u@h:1/d: vms stayed locked']]);
});

t.test('the end of the process ends the wait', async (t) => {
  const controller = new AbortController();
  const log = {
    warn: () => {
      controller.abort();
    },
  };
  const wait = { connection, maxWaitMs: 3_600_000, log, signal: controller.signal };
  const result = await waitForDatabase<string>(wait, () => Promise.reject(new Error('refused')));
  t.equal(result, undefined);
});

t.test('the error names the address, keeps the cause, and quotes no value', async (t) => {
  const { signal } = new AbortController();
  const wait = { connection, maxWaitMs: 0, log: { warn: () => undefined }, signal };
  const cause = Object.assign(new pg.DatabaseError('raised by a stranger: secret', 1, 'error'), {
    code: 'P0001',
    severity: 'ERROR',
  });
  const error: unknown = await waitForDatabase(wait, () => Promise.reject(cause)).catch(
    (reason: unknown) => reason,
  );
  t.ok(error instanceof DatabaseWaitError);
  t.match(error, { message: 'The database u@h:1/d could not be used for 0 s: error P0001', cause });
  t.equal(formatAddress({ ...connection, host: '::1' }), 'u@[::1]:1/d');
});
