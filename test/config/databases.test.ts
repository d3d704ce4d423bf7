// Resolving the database from the URL, PG* and the file together.

import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { findProblems } from '../helpers/config.js';

const DEFAULTS = {
  host: 'localhost',
  port: 5432,
  user: 'lablink',
  password: undefined,
  database: 'lablink_db',
  ssl: false,
  options: undefined,
};

t.test('every part of a URL is used', async (t) => {
  const { database, listenDatabase } = loadConfig({
    DATABASE_URL:
      'postgresql://us%40er:p%23%2Fw@db.example:6432/lab%20link?options=-c%20work_mem%3D8MB',
  });
  t.strictSame(database, {
    host: 'db.example',
    port: 6432,
    user: 'us@er',
    password: 'p#/w',
    database: 'lab link',
    ssl: false,
    options: '-c work_mem=8MB',
  });
  t.equal(listenDatabase, undefined);
});

t.test('a parameter that no source sets has its default', async (t) => {
  t.strictSame(loadConfig({ DATABASE_URL: 'postgres://' }).database, DEFAULTS);
  t.strictSame(loadConfig({ DATABASE_URL: 'postgres:///' }).database, DEFAULTS);
  t.strictSame(loadConfig({ DATABASE_URL: 'postgres://db' }).database, { ...DEFAULTS, host: 'db' });
});

t.test('a Unix socket can be named in every way that PostgreSQL supports', async (t) => {
  const expected = { ...DEFAULTS, host: '/run/pg', database: 'lab' };
  t.strictSame(loadConfig({ DATABASE_URL: 'postgresql:///lab?host=/run/pg' }).database, expected);
  t.strictSame(loadConfig({ DATABASE_URL: 'postgresql://%2Frun%2Fpg/lab' }).database, expected);
  t.strictSame(loadConfig({ PGHOST: '/run/pg', PGDATABASE: 'lab' }).database, expected);
});

t.test('each PG variable except PGSSLMODE names a database', async (t) => {
  t.strictSame(loadConfig({ PGHOST: 'h' }).database, { ...DEFAULTS, host: 'h' });
  t.strictSame(loadConfig({ PGPORT: '5433' }).database, { ...DEFAULTS, port: 5433 });
  t.strictSame(loadConfig({ PGUSER: 'u' }).database, { ...DEFAULTS, user: 'u' });
  t.strictSame(loadConfig({ PGPASSWORD: 'p' }).database, { ...DEFAULTS, password: 'p' });
  t.strictSame(loadConfig({ PGDATABASE: 'd' }).database, { ...DEFAULTS, database: 'd' });
  t.equal(loadConfig({ PGSSLMODE: 'require' }).database, undefined);
});

t.test('PG variables complete the URL', async (t) => {
  const { database } = loadConfig({
    DATABASE_URL: 'postgres://u@h/d',
    PGHOST: 'h',
    PGPASSWORD: 'p',
    PGPORT: '6000',
    PGSSLMODE: 'verify-full',
  });
  t.strictSame(database, {
    ...DEFAULTS,
    host: 'h',
    port: 6000,
    user: 'u',
    password: 'p',
    database: 'd',
    ssl: true,
  });
});

t.test('sources that disagree are rejected', async (t) => {
  const url = { DATABASE_URL: 'postgres://u:pw-one@h:1/d' };
  const cases: [NodeJS.ProcessEnv, string][] = [
    [{ PGHOST: 'h2' }, 'DATABASE_URL and PGHOST name different databases: host "h" and "h2"'],
    [{ PGPORT: '2' }, 'DATABASE_URL and PGPORT name different databases: port "1" and "2"'],
    [{ PGUSER: 'u2' }, 'DATABASE_URL and PGUSER name different databases: user "u" and "u2"'],
    [
      { PGDATABASE: 'e' },
      'DATABASE_URL and PGDATABASE name different databases: database "d" and "e"',
    ],
    [{ PGPASSWORD: 'pw-two' }, 'DATABASE_URL and PGPASSWORD give different passwords'],
  ];
  for (const [env, problem] of cases) {
    t.strictSame(findProblems({ ...url, ...env }), [
      `${problem}; expected only one, or the same value`,
    ]);
  }
  t.equal(
    findProblems({ ...url, PGHOST: 'h2', PGPORT: '2', PGUSER: 'u2', PGPASSWORD: 'pw-two' }).length,
    4,
  );
});

t.test('the file is a source like the others', async (t) => {
  const path = join(
    t.testdir({ 'config.yaml': 'db: {host: h, user: u, password: from-file}' }),
    'config.yaml',
  );
  const file = { LABLINK_CONFIG: path };
  const expected = { ...DEFAULTS, host: 'h', user: 'u', password: 'from-file' };
  t.strictSame(loadConfig(file).database, expected);
  t.strictSame(loadConfig({ ...file, PGSSLMODE: 'require' }).database, { ...expected, ssl: true });
  t.strictSame(loadConfig({ ...file, PGHOST: 'h', PGPORT: '7' }).database, {
    ...expected,
    port: 7,
  });
  t.match(
    findProblems({ ...file, PGHOST: 'x' })[0],
    'LABLINK_CONFIG and PGHOST name different databases',
  );
  const both = findProblems({ ...file, DATABASE_URL: 'postgres://x:other@h' });
  t.equal(both.length, 2);
  t.match(both[0], 'DATABASE_URL and LABLINK_CONFIG name different databases: user "x" and "u"');
  t.match(both[1], 'DATABASE_URL and LABLINK_CONFIG give different passwords');
  t.notMatch(both.join(), /from-file|other@/);
});

t.test('connect_timeout is in seconds, and holds for both connections', async (t) => {
  const { database, listenDatabase } = loadConfig({
    DATABASE_URL: 'postgres://h/d?connect_timeout=3',
    LISTEN_DATABASE_URL: 'postgres://other/d',
  });
  t.match(
    [database, listenDatabase],
    [{ connectionTimeoutMillis: 3_000 }, { connectionTimeoutMillis: 3_000 }],
  );
  t.notOk('connectionTimeoutMillis' in (loadConfig({ PGHOST: 'h' }).database ?? {}));
});

t.test('a URL that pg would misread is rejected, and not shown', async (t) => {
  const bad: [string, RegExp][] = [
    ['hunter2', /^DATABASE_URL is set \(7 bytes, not shown\); expected a URL/],
    ['mysql://u:hunter2@h/d', /expected a URL/],
    ['postgres://u:12#hunter2@h/d', /write # as %23/],
    ['postgres://u:12?hunter2@h/d', /write # as %23/],
    ['postgres://u:hunter2@h:99999/d', /must be a URL/],
    ['postgres://u:hunter2@h:0/d', /port must be from 1 to 65535/],
    ['postgres://u:hunter2@h/d?port=x', /must be a URL|port must be/],
    ['postgres://u:hunter2@h/d?port=70000', /port must be from 1 to 65535/],
    ['postgres://u:hunter2@a,b:0/d', /port must be from 1 to 65535/],
    ['postgres://u:hunter2@a:1,b:2,c/d?port=1,2', /has 2 ports for 3 hosts/],
    ['postgres://u:hunter2@a,b]/d', /must be a URL/],
    ['postgres://u:hunter2@h/d?target_session_attrs=primus', /target_session_attrs is not one of/],
    ["host=h password='hunter2", /must be a URL/],
    ['host=h password=hunter2 hunter2', /must be a URL/],
    ['host=h password=hunter2 sslmode=allow', /its sslmode is not one of disable, prefer/],
    ['host=h password=hunter2 port=70000', /port must be from 1 to 65535/],
    ['host=h password=hunter2 hostaddr=1.2.3.4', /parameter "hostaddr" is not one of/],
    ['postgres://u:hunter2@h/%E0%A4%A', /must be a URL/],
    ['postgres://u:hunter2@h/d?sslmode=allow', /its sslmode is not one of disable, prefer/],
    ['postgres://u:hunter2@h/d?uselibpqcompat=yes', /its uselibpqcompat is not one of/],
    [
      'postgres://u:hunter2@h/d?uselibpqcompat=true&sslmode=verify-ca',
      /its sslmode needs sslrootcert/,
    ],
    ['postgres://u:hunter2@h/d?connect_timeout=0', /connect_timeout must be from 1 to 600/],
    ['postgres://u:hunter2@h/d?connect_timeout=soon', /connect_timeout must be from 1 to 600/],
    ['postgres://u:hunter2@h/d?ssl=false', /parameter "ssl" is not one of host, /],
    ['postgres://u:hunter2@h/d?max=50', /parameter "max" is not one of/],
    [
      'postgres://u:hunter2@h/d?sslrootcert=/no/ca.pem',
      /certificate file "\/no\/ca.pem" cannot be read \(ENOENT\)/,
    ],
  ];
  for (const name of ['DATABASE_URL', 'LISTEN_DATABASE_URL']) {
    for (const [url, problem] of bad) {
      const env = name === 'DATABASE_URL' ? {} : { PGHOST: 'h' };
      const problems = findProblems({ ...env, [name]: url });
      t.equal(problems.length, 1, url);
      t.match(problems[0], new RegExp(problem.source.replace(/^\^DATABASE_URL/, `^${name}`)), url);
      t.ok(problems[0]?.startsWith(name));
      t.notMatch(problems[0], 'hunter2', url);
    }
  }
});

t.test('TLS modes have the meaning of pg 8', async (t) => {
  const readSsl = (env: NodeJS.ProcessEnv) => loadConfig(env).database?.ssl;
  const ca = join(t.testdir({ 'ca.pem': 'a certificate' }), 'ca.pem');
  const url = 'postgres://h/d?sslmode=';
  t.equal(
    readSsl({ DATABASE_URL: `${url}disable`, PGSSLMODE: 'require' }),
    false,
    'the URL goes first',
  );
  t.same(readSsl({ DATABASE_URL: `${url}verify-full` }), {});
  t.same(readSsl({ DATABASE_URL: `${url}no-verify` }), { rejectUnauthorized: false });
  t.same(readSsl({ DATABASE_URL: `${url}verify-full&sslrootcert=${ca}` }), { ca: 'a certificate' });
  const compatible = `${url}require&uselibpqcompat=true`;
  t.same(readSsl({ DATABASE_URL: compatible }), { rejectUnauthorized: false });
  t.equal(readSsl({ PGHOST: 'h' }), false);
  t.equal(readSsl({ PGHOST: 'h', PGSSLMODE: 'disable' }), false);
  t.strictSame(readSsl({ PGHOST: 'h', PGSSLMODE: 'no-verify' }), { rejectUnauthorized: false });
  for (const PGSSLMODE of ['prefer', 'require', 'verify-ca', 'verify-full']) {
    t.equal(readSsl({ PGHOST: 'h', PGSSLMODE }), true, PGSSLMODE);
  }
});

t.test('every mode that checks the certificate checks it completely', async (t) => {
  // pg warns that this changes in its next major version.
  t.capture(process, 'emitWarning');
  for (const mode of ['prefer', 'require', 'verify-ca']) {
    const { database } = loadConfig({ DATABASE_URL: `postgres://h/d?sslmode=${mode}` });
    t.same(database?.ssl, {}, mode);
  }
});

t.test('the direct connection is the same database at another address', async (t) => {
  const DATABASE_URL = 'postgres://u:p@pooler:6432/d?sslmode=no-verify&options=-cx=1';
  const loadDirect = (LISTEN_DATABASE_URL: string) =>
    loadConfig({ DATABASE_URL, LISTEN_DATABASE_URL }).listenDatabase;
  const { database } = loadConfig({ DATABASE_URL });
  t.strictSame(
    loadDirect('postgres://db'),
    { ...database, host: 'db', port: 5432 },
    'not its port',
  );
  t.strictSame(loadDirect('postgres://'), { ...database, port: 5432 });
  t.strictSame(loadDirect('postgres://v:q@db:5433/e?sslmode=disable&options=-cy=2'), {
    host: 'db',
    port: 5433,
    user: 'v',
    password: 'q',
    database: 'e',
    ssl: false,
    options: '-cy=2',
  });
  t.strictSame(
    loadConfig({ PGHOST: 'pooler', LISTEN_DATABASE_URL: 'postgres://db' }).listenDatabase,
    { ...DEFAULTS, host: 'db' },
  );
});

t.test('a direct connection without a database is rejected', async (t) => {
  const problems = findProblems({ LISTEN_DATABASE_URL: 'postgres://u:hunter2@db' });
  t.equal(problems.length, 1);
  t.match(problems[0], /^LISTEN_DATABASE_URL .* no variable names the database/);
  t.notMatch(problems[0], 'hunter2');
});

t.test('a rejected database is not reported as missing too', async (t) => {
  const LISTEN_DATABASE_URL = 'postgres://db';
  t.equal(findProblems({ DATABASE_URL: 'nonsense', LISTEN_DATABASE_URL }).length, 1);
  t.equal(findProblems({ PGPORT: 'nonsense', LISTEN_DATABASE_URL }).length, 1);
});

t.test('pg connects to the configured database, whatever PG* its process has', async (t) => {
  const elsewhere = {
    PGHOST: 'elsewhere',
    PGPORT: '1',
    PGUSER: 'somebody',
    PGDATABASE: 'other',
    PGSSLMODE: 'require',
  };
  t.intercept(process, 'env', { value: { ...process.env, ...elsewhere } });
  const client = new pg.Client(loadConfig({ DATABASE_URL: 'postgres://' }).database);
  const { host, port, user, database, ssl } = client;
  t.strictSame(
    { host, port, user, database, ssl },
    { host: 'localhost', port: 5432, user: 'lablink', database: 'lablink_db', ssl: false },
  );
});
