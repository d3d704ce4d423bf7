// The habits of psql: several hosts, keywords and values, services, and the variables of
// certificates name the same database here.

import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { findProblems } from '../helpers/config.js';

const load = (env: NodeJS.ProcessEnv) => loadConfig(env).database;

t.test('several hosts are tried in their order, and the primary is wanted', async (t) => {
  const expected = {
    ...{ host: 'a', port: 5432, user: 'u', password: 'p/w', database: 'd' },
    hosts: [
      { host: 'a', port: 5432 },
      { host: '::1', port: 5433 },
      { host: '/run/pg', port: 5434 },
    ],
    targetSession: 'read-write',
  };
  const spellings: NodeJS.ProcessEnv[] = [
    { DATABASE_URL: 'postgresql://u:p%2Fw@a,[::1]:5433,%2Frun%2Fpg:5434/d' },
    { DATABASE_URL: 'postgresql://u:p%2Fw@/d?host=a,::1,/run/pg&port=5432,5433,5434' },
    { DATABASE_URL: `host=a,::1,/run/pg port=,5433,5434 user=u password='p/w' dbname=d` },
    {
      ...{ PGHOST: 'a,::1,/run/pg', PGPORT: '5432,5433,5434', PGUSER: 'u' },
      ...{ PGPASSWORD: 'p/w', PGDATABASE: 'd' },
    },
    { DATABASE_URL: 'postgresql://u:p%2Fw@/d', PGHOST: 'a,::1,/run/pg', PGPORT: '5432,5433,5434' },
  ];
  for (const env of spellings) t.match(load(env), expected, JSON.stringify(env));
  t.match(load({ PGHOST: 'a,b', PGPORT: '6000' })?.hosts, [
    { host: 'a', port: 6000 },
    { host: 'b', port: 6000 },
  ]);
});

t.test('target_session_attrs chooses the kind of server, also of a single host', async (t) => {
  t.match(load({ DATABASE_URL: 'postgres://a,b/d?target_session_attrs=any' }), {
    targetSession: 'any',
  });
  t.match(load({ PGHOST: 'a', PGTARGETSESSIONATTRS: 'standby' }), {
    hosts: [{ host: 'a', port: 5432 }],
    targetSession: 'standby',
  });
  t.notOk('hosts' in (load({ PGHOST: 'a', PGTARGETSESSIONATTRS: 'any' }) ?? {}));
  t.match(findProblems({ PGHOST: 'a', PGTARGETSESSIONATTRS: 'master' })[0], 'one of any, read-wri');
});

t.test('hosts and ports that do not fit are rejected, also from two sources', async (t) => {
  t.match(findProblems({ PGHOST: 'a,b,c', PGPORT: '1,2' }), ['has 2 ports for 3 hosts']);
  t.match(findProblems({ PGPORT: '1,x' }), ['PGPORT is "1,x"; expected an integer']);
  t.match(findProblems({ DATABASE_URL: 'postgres://a,b/d', PGHOST: 'a' }), [
    'name different databases: host "a,b" and "a"',
  ]);
});

t.test('keywords and values are read as libpq does', async (t) => {
  t.strictSame(
    load({
      DATABASE_URL: String.raw` host = 'my host' dbname='it\'s 100%#' user=a\ b password='' `,
    }),
    {
      ...{ host: 'my host', port: 5432, user: 'a b', password: undefined, database: `it's 100%#` },
      ...{ ssl: false, options: undefined },
    },
  );
  t.match(load({ DATABASE_URL: `host=h connect_timeout=7 options='-c work_mem=8MB -c a=+'` }), {
    connectionTimeoutMillis: 7_000,
    options: '-c work_mem=8MB -c a=+',
  });
  t.same(load({ DATABASE_URL: 'host=h sslmode=no-verify' })?.ssl, { rejectUnauthorized: false });
});

t.test('a service completes the other sources', async (t) => {
  const folder = t.testdir({
    'pg_service.conf': `# of this machine\n[other]\nhost=x\n\n[lab]\nhost=a,b\nport=6000\nuser=u\nsslmode=no-verify\n[next]\nbad\n`,
    'ca.pem': 'a certificate',
  });
  const file = join(folder, 'pg_service.conf');
  const expected = {
    ...{ user: 'u', database: 'd', ssl: { rejectUnauthorized: false } },
    hosts: [
      { host: 'a', port: 6000 },
      { host: 'b', port: 6000 },
    ],
  };
  t.match(load({ PGSERVICE: 'lab', PGSERVICEFILE: file, PGDATABASE: 'd' }), expected);
  t.match(load({ PGSERVICE: 'lab', PGSYSCONFDIR: folder, PGDATABASE: 'd' }), expected);
  const DATABASE_URL = 'postgres://v@/d?service=lab';
  t.match(load({ DATABASE_URL, PGSERVICEFILE: file }), { ...expected, user: 'v' });
  t.match(load({ DATABASE_URL: 'service=lab dbname=d', PGSERVICEFILE: file }), expected);

  const bad: [NodeJS.ProcessEnv, string][] = [
    [{ PGSERVICE: 'lab', PGSERVICEFILE: '/no/file' }, 'the file "/no/file" cannot be read'],
    [{ PGSERVICE: 'gone', PGSERVICEFILE: file }, 'PGSERVICE, service "gone": no service "gone"'],
    [{ PGSERVICE: 'next', PGSERVICEFILE: file }, 'line 11 of'],
    [{ PGSERVICE: 'lab', PGSERVICEFILE: file, PGUSER: 'w' }, 'PGSERVICE and PGUSER name different'],
  ];
  for (const [env, problem] of bad) t.match(findProblems(env), [problem], problem);
});

t.test(
  'the variables of certificates complete a mode, and alone they ask for a check',
  async (t) => {
    const folder = t.testdir({ 'ca.pem': 'ca', 'cert.pem': 'cert', 'key.pem': 'key' });
    const PGSSLROOTCERT = join(folder, 'ca.pem');
    const PGSSLCERT = join(folder, 'cert.pem');
    const PGSSLKEY = join(folder, 'key.pem');
    t.same(load({ PGHOST: 'h', PGSSLROOTCERT })?.ssl, { ca: 'ca' });
    const all = { PGSSLROOTCERT, PGSSLCERT, PGSSLKEY };
    t.match(load({ DATABASE_URL: 'postgres://h/d?sslmode=verify-full', ...all })?.ssl, {
      ...{ ca: 'ca', cert: 'cert' },
    });
    t.equal(load({ DATABASE_URL: 'postgres://h/d?sslmode=disable', ...all })?.ssl, false);
    t.equal(load({ PGHOST: 'h', PGSSLMODE: 'disable', ...all })?.ssl, false);
    t.match(findProblems({ PGHOST: 'h', PGSSLROOTCERT: '/no/ca' }), ['"/no/ca" cannot be read']);
  },
);

t.test('PGOPTIONS and PGCONNECT_TIMEOUT hold unless the URL has its own', async (t) => {
  const env = { PGOPTIONS: '-c a=1', PGCONNECT_TIMEOUT: '9' };
  t.match(load({ PGHOST: 'h', ...env }), { options: '-c a=1', connectionTimeoutMillis: 9_000 });
  t.match(load({ DATABASE_URL: 'postgres://h?options=-cb&connect_timeout=2', ...env }), {
    ...{ options: '-cb', connectionTimeoutMillis: 2_000 },
  });
});

t.test('the direct connection has the hosts of the other one, each at its own port', async (t) => {
  const { listenDatabase } = loadConfig({
    DATABASE_URL: 'postgres://a:6432,b:6432/d',
    LISTEN_DATABASE_URL: 'postgres://',
  });
  t.match(listenDatabase?.hosts, [
    { host: 'a', port: 5432 },
    { host: 'b', port: 5432 },
  ]);
});
