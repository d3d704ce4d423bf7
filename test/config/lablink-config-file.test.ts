// The YAML file of LABLINK_CONFIG is read as the allocator writes it, and its problems are
// reported.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfigError, loadConfig, type Config } from '../../src/config/load.js';

function createFile(t: Test, yaml: string): string {
  return join(t.testdir({ 'config.yaml': yaml }), 'config.yaml');
}

function load(t: Test, yaml: string, env: NodeJS.ProcessEnv = {}): Config {
  return loadConfig({ ...env, LABLINK_CONFIG: createFile(t, yaml) });
}

/** Returns the problems of the file, without the path at the start of each line. */
function readProblems(t: Test, yaml: string, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    load(t, yaml, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((line) => line.replace(/^LABLINK_CONFIG "[^"]*": /, ''));
  }
}

const GUIDE = `
db:
  dbname: "lablink_db"
  user: "lablink"
  password: "\${DB_PASSWORD}"  # From Secrets Manager
  host: "lablink-db-prod.xxxxx.us-west-2.rds.amazonaws.com"
  port: 5432
`;

t.test(
  'the file of the database guide names a database, with the password from the environment',
  async (t) => {
    t.strictSame(load(t, GUIDE, { DB_PASSWORD: 'pä$$: "w"' }).database, {
      host: 'lablink-db-prod.xxxxx.us-west-2.rds.amazonaws.com',
      port: 5432,
      user: 'lablink',
      password: 'pä$$: "w"',
      database: 'lablink_db',
      ssl: false,
      options: undefined,
    });
  },
);

t.test('an empty section names the database with all defaults', async (t) => {
  t.match(load(t, 'db: {}').database, { host: 'localhost', port: 5432, database: 'lablink_db' });
});

t.test('other sections of the file are ignored', async (t) => {
  t.match(load(t, 'machine: {type: g4dn}\ndb: {host: h}\napp: 7').database, { host: 'h' });
});

t.test('any value may contain references, which are replaced once', async (t) => {
  const yaml = 'db: {host: "db.${ZONE}.${DOMAIN}", port: "${DB_PORT}", password: "${LABLINK_PW}"}';
  const env = { ZONE: 'a', DOMAIN: 'example', DB_PORT: '6000', LABLINK_PW: '${ZONE}' };
  const expected = { host: 'db.a.example', port: 6000, password: '${ZONE}' };
  t.match(load(t, yaml, env).database, expected, 'a LABLINK_ name it refers to is known');
});

t.test('a reference to a missing variable is reported with its name', async (t) => {
  t.strictSame(readProblems(t, GUIDE), ['db.password refers to DB_PASSWORD, which is not set']);
  t.strictSame(readProblems(t, GUIDE, { DB_PASSWORD: '' }), [
    'db.password refers to DB_PASSWORD, which is not set',
  ]);
  for (const reference of ['${}', '${A:-b}', '${oc.env:A}', '${1A}', '${A B}']) {
    t.strictSame(readProblems(t, `db: {user: '${reference}'}`, { A: 'a' }), [
      'db.user has a ${…} without the name of a variable',
    ]);
  }
});

t.test('a byte-order mark is no part of the file', async (t) => {
  t.match(load(t, '\uFEFFdb: {host: h, user: u}').database, { host: 'h', user: 'u' });
});

t.test('all problems are reported together', async (t) => {
  const yaml =
    'db: {user: "${NOBODY}", port: 0, host: "a,b", table_name: vms, password: 0123, dbname: }';
  t.strictSame(readProblems(t, yaml), [
    'db.user refers to NOBODY, which is not set',
    'db.port is a number without quotes (not shown); expected an integer from 1 to 65535',
    'db.host is text (not shown); expected one host name, address or folder',
    'db has an unknown key "table_name"; expected dbname, user, password, host, port',
    'db.password is a number without quotes (not shown); expected a password',
    'db.dbname is a key without a value (not shown); expected the name of a database',
  ]);
});

t.test('every type of wrong value is rejected', async (t) => {
  for (const value of ['true', '[a]', '{a: b}', '12', '1.5', '~', '""']) {
    for (const key of ['dbname', 'user', 'password', 'host']) {
      const faults = readProblems(t, `db: {${key}: ${value}}`);
      t.equal(faults.length, 1, `${key}: ${value}`);
      t.match(faults[0], `db.${key} is `);
    }
  }
  for (const value of ['65536', '-1', '1.5', 'http', '0x50', '"080"', '[1]']) {
    t.equal(readProblems(t, `db: {port: ${value === '0x50' ? '"0x50"' : value}}`).length, 1, value);
  }
});

t.test('a file without the section is rejected', async (t) => {
  for (const yaml of ['', '# nothing', 'database: {host: h}', 'db:', 'db: lablink', '[db]', 'db']) {
    t.strictSame(readProblems(t, yaml), [
      'it has no section db; expected db: {dbname, user, password, host, port}',
    ]);
  }
});

t.test('text that is not YAML is rejected with its line number, and not quoted', async (t) => {
  const bad: [string, RegExp][] = [
    ['db:\n  user: u\n  password: "hunter2', /^it is not YAML at line \d \(\w+\)$/],
    ['db:\n  user: u\n  password: @hunter2', /^it is not YAML at line 3 \(\w+\)$/],
    ['db: {user: u, user: hunter2}', /^it is not YAML at line 1 \(DUPLICATE_KEY\)$/],
    ['db:\n  password: *hunter2', /^it is not YAML/],
    ['{{{{hunter2', /^it is not YAML/],
    ['a: hunter2\n---\ndb: {}', /^it is not YAML/],
  ];
  for (const [yaml, fault] of bad) {
    const faults = readProblems(t, yaml);
    t.equal(faults.length, 1, yaml);
    t.match(faults[0], fault);
    t.notMatch(faults[0], 'hunter2');
  }
});

t.test('aliases that multiply are rejected and not expanded', async (t) => {
  const levels = Array.from({ length: 9 }, (_, n) =>
    n === 0
      ? 'a0: &a0 [x]'
      : `a${n}: &a${n} [${Array(9)
          .fill(`*a${n - 1}`)
          .join(',')}]`,
  );
  t.match(readProblems(t, `${levels.join('\n')}\ndb: {}`)[0], /^it is not YAML/);
});

t.test('an unreadable file is rejected with the reason', async (t) => {
  const folder = t.testdir({});
  for (const [path, code] of [
    [folder, 'EISDIR'],
    [join(folder, 'none.yaml'), 'ENOENT'],
  ] as const) {
    const fault = `LABLINK_CONFIG ${JSON.stringify(path)}: it cannot be read (${code})`;
    t.throws(() => loadConfig({ LABLINK_CONFIG: path }), new ConfigError([fault]));
  }
});

t.test('a key named like a property of objects is a key like any other', async (t) => {
  for (const key of ['__proto__', 'constructor', 'toString']) {
    t.match(readProblems(t, `db: {${key}: x}`)[0], `db has an unknown key "${key}"`);
  }
});
