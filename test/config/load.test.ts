// Loading the configuration: accepted values, and all problems reported together without a secret.

import { generateKeyPairSync } from 'node:crypto';
import { resolve } from 'node:path';
import Fastify from 'fastify';
import t from 'tap';
import { Environment, loadConfig, VARIABLES } from '../../src/config/load.js';
import { findProblems, SECRET } from '../helpers/config.js';
import { keyPair, toPem } from '../helpers/key-pairs.js';

t.test(
  'an empty environment configures a gateway on loopback with the embedded database',
  async (t) => {
    t.strictSame(loadConfig({}), {
      database: undefined,
      listenDatabase: undefined,
      databaseWaitMs: 60_000,
      gatewayUrl: undefined,
      tokenFile: undefined,
      host: '127.0.0.1',
      port: 8080,
      dataDir: resolve('.lablink'),
      dataDirGiven: false,
      jwtSecrets: [],
      jwtPublicKeys: [],
      allowedOrigins: [],
      trustProxy: false,
      requestsPerMinute: 6000,
      socketLimits: { total: 20_000, perAddress: 2_000, perIdentity: 500 },
      drainMs: 5_000,
      pingIntervalMs: 5_000,
      clientTimeoutMs: 50_000,
      offlineGraceMs: undefined,
      auditDays: 90,
      logLevel: 'info',
      migrate: 'apply',
      dashboardColumns: [],
    });
  },
);

t.test('an empty variable counts as not set', async (t) => {
  const empty = Object.fromEntries(VARIABLES.map(({ name }) => [name, '']));
  t.strictSame(loadConfig({ ...empty, LABLINK_ANYTHING: '' }), loadConfig({}));
});

t.test('the default environment is that of the process', async (t) => {
  t.intercept(process, 'env', { value: { PORT: '4711' } });
  t.equal(loadConfig().port, 4711);
});

t.test('every variable is read', async (t) => {
  const [key, older] = [keyPair('EdDSA').pem, keyPair('RS256').pem];
  const config = loadConfig({
    DATABASE_WAIT_SECONDS: '7',
    LABLINK_URL: 'https://gateway.example.org',
    LABLINK_TOKEN_FILE: '/run/token',
    HOST: '::',
    PORT: '0',
    DATA_DIR: '/var/lib/lablink',
    JWT_SECRET: SECRET,
    JWT_SECRET_PREVIOUS: `older: ${SECRET}`,
    JWT_PUBLIC_KEY: key,
    JWT_PUBLIC_KEY_PREVIOUS: older.replaceAll('\n', '\\n'),
    ALLOWED_ORIGINS: 'https://lab.example.org, http://localhost:5173',
    TRUST_PROXY: '10.0.0.0/8, ::1',
    REQUESTS_PER_MINUTE: '100',
    MAX_SOCKETS: '3',
    MAX_SOCKETS_PER_ADDRESS: '2',
    MAX_SOCKETS_PER_IDENTITY: '1',
    DRAIN_SECONDS: '0',
    PING_INTERVAL_SECONDS: '2',
    CLIENT_TIMEOUT_SECONDS: '4',
    OFFLINE_GRACE: '2m',
    AUDIT_DAYS: '30',
    LOG_LEVEL: 'warn',
    MIGRATE: 'check',
    DASHBOARD_COLUMNS: 'region, zone,region',
  });
  t.strictSame(config, {
    database: undefined,
    listenDatabase: undefined,
    databaseWaitMs: 7_000,
    gatewayUrl: 'https://gateway.example.org',
    tokenFile: '/run/token',
    host: '::',
    port: 0,
    dataDir: '/var/lib/lablink',
    dataDirGiven: true,
    jwtSecrets: [SECRET, `older: ${SECRET}`],
    jwtPublicKeys: [
      { algorithm: 'EdDSA', pem: key.trim() },
      { algorithm: 'RS256', pem: older.trim() },
    ],
    allowedOrigins: ['https://lab.example.org', 'http://localhost:5173'],
    trustProxy: ['10.0.0.0/8', '::1'],
    requestsPerMinute: 100,
    socketLimits: { total: 3, perAddress: 2, perIdentity: 1 },
    drainMs: 0,
    pingIntervalMs: 2_000,
    clientTimeoutMs: 4_000,
    offlineGraceMs: 120_000,
    auditDays: 30,
    logLevel: 'warn',
    migrate: 'check',
    dashboardColumns: ['region', 'zone'],
  });
});

t.test('each bad value is rejected with its name, the value and the expected value', async (t) => {
  const bad: Record<string, readonly string[]> = {
    HOST: ['a b', 'http://x', '[::1]', '127.1', '256.1.1.1', '-x', 'x-', 'a,b', '2130706433'],
    PORT: ['-1', '65536', '80.5', '0x50', '1e3', 'http', ' 80', '080', 'true'],
    PGPORT: ['0', '65536', 'five'],
    PGHOST: ['a b', ' '],
    PGSSLMODE: ['allow', 'Require', 'true'],
    TRUST_PROXY: [
      'yes',
      'True',
      '-1',
      '100',
      '1.5',
      '10.0.0.0/0',
      '10.0.0.0/33',
      '::1/129',
      '::/0',
      '10.0.0.0/8/8',
      '10.0.0.0/',
      'proxy.example',
      '10.0.0.1,',
      'fe80::1%eth0',
      'true,false',
    ],
    ALLOWED_ORIGINS: ['*', 'null', 'lab.example.org', 'https://lab.example.org/'],
    MAX_SOCKETS: ['0', '-1', '1000001', 'many'],
    DATABASE_WAIT_SECONDS: ['-1', '1.5', '86401', '1m'],
    DRAIN_SECONDS: ['-1', '0.5', '3601'],
    LOG_LEVEL: ['loud', 'INFO', 'warning'],
    MIGRATE: ['yes', 'true', 'Apply'],
    DASHBOARD_COLUMNS: [
      'crd_command',
      'zone, crd_command ',
      'CRD_Command',
      'zone,',
      ',',
      'x'.repeat(64),
    ],
  };
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      const problems = findProblems({ [name]: value, JWT_SECRET: SECRET });
      t.equal(problems.length, 1, `${name}=${value}`);
      t.ok(
        problems[0]?.startsWith(`${name} is ${JSON.stringify(value)}; expected `),
        `${name}=${value}`,
      );
    }
  }
});

t.test('each good value is accepted', async (t) => {
  const good: Record<string, readonly string[]> = {
    HOST: ['0.0.0.0', '::1', 'localhost', 'gateway-1.example.org', '10.1.2.3', 'fe80::1%eth0'],
    PORT: ['0', '1', '65535'],
    TRUST_PROXY: ['true', 'false', '0', '99', '::1', '10.0.0.1/32', '::/1', '1.2.3.4,5.6.7.8'],
    LOG_LEVEL: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    DASHBOARD_COLUMNS: ['zone', 'Größe', 'x'.repeat(63)],
  };
  for (const [name, values] of Object.entries(good)) {
    for (const value of values) {
      t.strictSame(findProblems({ [name]: value, JWT_SECRET: SECRET }), [], `${name}=${value}`);
    }
  }
});

t.test('all bad values are reported together, on one line each', async (t) => {
  const env = {
    PORT: 'x',
    HOST: '0.0.0.0',
    LOG_LEVEL: 'loud',
    MIGRATE: 'no',
    DATABASE_URL: 'mysql://x',
    LABLINK_CONFIG: '/nowhere/at/all.yaml',
    LABLINK_PORT: '1',
    PGPORT: 'x',
  };
  const problems = findProblems(env);
  const named = problems.map((line) => line.split(' ')[0]).sort();
  t.strictSame(named, [...Object.keys(env).filter((name) => name !== 'HOST'), 'JWT_SECRET'].sort());
  for (const line of problems) t.notMatch(line, /\n/);
  t.throws(() => loadConfig(env), { name: 'ConfigError', message: problems.join('\n  ') });
});

t.test('a value that is long or has several lines is shortened to one line', async (t) => {
  const [line = ''] = findProblems({ LOG_LEVEL: `a\nb${'x'.repeat(10_000)}` });
  t.match(line, 'LOG_LEVEL is "a\\nbxxx');
  t.ok(line.length < 300);
});

t.test('an unknown LABLINK_ variable is rejected, with the name that may be meant', async (t) => {
  t.strictSame(
    findProblems({ LABLINK_PORT: 'hunter2', LABLINK_X: 'hunter2', LAB: 'x', PORTS: 'x' }),
    [
      'LABLINK_PORT is not a variable of this program; the variable is called PORT',
      'LABLINK_X is not a variable of this program',
    ],
  );
});

t.test('a secret needs 32 bytes, and no message contains it', async (t) => {
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS']) {
    const short = 'thirty-one bytes are not enough';
    t.equal(short.length, 31);
    const problems = findProblems({ JWT_SECRET: SECRET, [name]: short });
    const expected = '32 bytes or more, and not a key in PEM';
    t.strictSame(problems, [`${name} is set (31 bytes, not shown); expected ${expected}`]);
  }
  t.strictSame(
    loadConfig({ JWT_SECRET: 'ü'.repeat(16) }).jwtSecrets,
    ['ü'.repeat(16)],
    'bytes count',
  );
  t.equal(findProblems({ JWT_SECRET: 'ü'.repeat(15) }).length, 1);
});

t.test(
  'a public key is rejected as a secret, because everyone who knows it could sign',
  async (t) => {
    const { pem } = keyPair('RS256');
    for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS']) {
      const problems = findProblems({ JWT_SECRET: SECRET, [name]: pem });
      t.match(problems, [/^JWT_SECRET.* is set \(\d+ bytes, not shown\); .* not a key in PEM$/]);
    }
  },
);

t.test('an unusable key is rejected with the list of usable types, and not shown', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  const mistaken = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  for (const name of ['JWT_PUBLIC_KEY', 'JWT_PUBLIC_KEY_PREVIOUS']) {
    for (const pem of [toPem(publicKey), mistaken, 'key.pem']) {
      const good = { JWT_PUBLIC_KEY: keyPair('EdDSA').pem };
      const [problem = '', ...others] = findProblems({ ...good, [name]: pem });
      t.ok(problem.startsWith(`${name} is set (${pem.length} bytes, not shown); expected `));
      t.match(problem, /BEGIN PUBLIC KEY.* RSA with 2048 bits or more, EC P-256 or Ed25519/);
      t.strictSame(others, []);
    }
  }
});

t.test('a previous secret or key alone is rejected', async (t) => {
  for (const [name, value] of [
    ['JWT_SECRET', SECRET],
    ['JWT_PUBLIC_KEY', keyPair('EdDSA').pem],
  ] as const) {
    const problems = findProblems({ [`${name}_PREVIOUS`]: value });
    t.strictSame(problems, [`${name}_PREVIOUS is set (not shown) without ${name}; expected both`]);
  }
});

t.test(
  'a secret or key is optional on loopback only; the message says how to create one',
  async (t) => {
    const { pem } = keyPair('EdDSA');
    for (const HOST of [
      '127.0.0.1',
      '127.255.0.9',
      '::1',
      '0:0:0:0:0:0:0:1',
      'localhost',
      'LocalHost',
    ]) {
      t.strictSame(findProblems({ HOST }), [], HOST);
    }
    for (const HOST of [
      '0.0.0.0',
      '::',
      '10.0.0.1',
      '126.255.255.255',
      '128.0.0.1',
      '::2',
      'localhost.example',
      'gateway',
    ]) {
      const problems = findProblems({ HOST });
      t.equal(problems.length, 1, HOST);
      t.match(problems[0], /^JWT_SECRET is not set.*openssl rand/);
      t.strictSame(findProblems({ HOST, JWT_SECRET: SECRET }), [], `${HOST} with a secret`);
      t.strictSame(findProblems({ HOST, JWT_PUBLIC_KEY: pem }), [], `${HOST} with a public key`);
    }
  },
);

t.test('Fastify trusts exactly the proxies of TRUST_PROXY', async (t) => {
  const readClientAddress = async (TRUST_PROXY: string, peer: string): Promise<string> => {
    const server = Fastify({ trustProxy: loadConfig({ TRUST_PROXY }).trustProxy });
    server.get('/', (request) => request.ip);
    const headers = { 'x-forwarded-for': '203.0.113.7, 10.0.0.2' };
    return (await server.inject({ url: '/', remoteAddress: peer, headers })).body;
  };
  t.equal(await readClientAddress('false', '10.0.0.1'), '10.0.0.1');
  t.equal(await readClientAddress('true', '10.0.0.1'), '203.0.113.7');
  t.equal(await readClientAddress('0', '10.0.0.1'), '10.0.0.1');
  t.equal(await readClientAddress('1', '10.0.0.1'), '10.0.0.2');
  t.equal(await readClientAddress('2', '10.0.0.1'), '203.0.113.7');
  t.equal(await readClientAddress('10.0.0.0/8', '10.0.0.1'), '203.0.113.7');
  t.equal(await readClientAddress('10.0.0.1', '10.0.0.1'), '10.0.0.2');
  t.equal(await readClientAddress('10.0.0.0/8', '192.0.2.1'), '192.0.2.1');
});

t.test('every variable has a description, and every default is valid', async (t) => {
  t.strictSame(
    VARIABLES.map(({ name }) => name),
    Object.keys(Environment.properties),
  );
  for (const { name, about } of VARIABLES) {
    t.ok(about.description.length > 10, name);
    t.ok(about.expected.length > 3, name);
    if (about.default === undefined || about.default === '') continue;
    t.strictSame(findProblems({ [name]: String(about.default) }), [], `the default of ${name}`);
  }
});

t.test('a client that answers each Ping never counts as silent', async (t) => {
  t.match(findProblems({ PING_INTERVAL_SECONDS: '20', CLIENT_TIMEOUT_SECONDS: '39' }), [
    'CLIENT_TIMEOUT_SECONDS is "39"; expected at least twice PING_INTERVAL_SECONDS (20)',
  ]);
  t.match(findProblems({ PING_INTERVAL_SECONDS: '30' }), ['expected an integer from 1 to 25']);
});
