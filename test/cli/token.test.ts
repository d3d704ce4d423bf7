// The subcommand `token`: its output, and its refusals.

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { decodeJwt } from 'jose';
import t from 'tap';
import { createVerifier } from '../../src/gateway/auth/token.js';
import { ExitCode, selectExitCode, UsageError } from '../../src/cli/exit.js';
import { createTokenCommand } from '../../src/cli/token.js';
import { ConfigError, loadConfig } from '../../src/config/load.js';
import { keyPair } from '../helpers/key-pairs.js';

const SECRET = 'a secret that only this test knows of';

interface Run {
  readonly stdout: string;
  readonly stderr: string;
  readonly error: unknown;
}

/** Runs `lablink-gateway token …` with this environment. */
async function run(args: string, env: NodeJS.ProcessEnv = { JWT_SECRET: SECRET }): Promise<Run> {
  let stdout = '';
  let stderr = '';
  const command = createTokenCommand(() => loadConfig(env)).configureOutput({
    writeOut: (text) => (stdout += text),
    writeErr: (text) => (stderr += text),
  });
  const program = new Command('lablink-gateway').exitOverride().addCommand(command);
  const words = args === '' ? [] : args.split(' ');
  const error: unknown = await program.parseAsync(['token', ...words], { from: 'user' }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { stdout, stderr, error };
}

t.test('token prints only the token, on one line', async (t) => {
  const { stdout, stderr, error } = await run('--role agent --hostname vm-1');
  t.equal(error, undefined);
  t.equal(stderr, '');
  t.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const verified = createVerifier([SECRET])(stdout.trim());
  t.match(verified, { ok: true, identity: { sub: 'vm-1', role: 'agent' } });
});

t.test('each role has a default subject and lifetime', async (t) => {
  const cases = [
    ['--role agent --hostname vm-1', 'agent', 'vm-1', 30 * 86_400],
    ['--role dashboard', 'dashboard', 'dashboard', 12 * 3_600],
    ['--role admin', 'admin', 'admin', 12 * 3_600],
    ['--role admin --sub ada', 'admin', 'ada', 12 * 3_600],
    ['--role dashboard --sub wall --ttl 90s', 'dashboard', 'wall', 90],
    ['--role agent --hostname vm-1 --ttl 15m', 'agent', 'vm-1', 900],
    ['--role agent --hostname vm-1 --ttl 2h', 'agent', 'vm-1', 7_200],
    ['--role agent --hostname vm-1 --ttl 3650d', 'agent', 'vm-1', 3650 * 86_400],
  ] as const;
  for (const [args, role, sub, ttlSeconds] of cases) {
    const claims = decodeJwt((await run(args)).stdout);
    t.match(claims, { role, sub }, args);
    t.equal((claims.exp ?? 0) - (claims.iat ?? 0), ttlSeconds, args);
  }
});

t.test('an enrolment token carries its limits', async (t) => {
  const claims = decodeJwt((await run('--role enrol --max 20 --pattern lab-*')).stdout);
  t.match(claims, { role: 'enrol', enrol_max: 20, enrol_pattern: 'lab-*' });
  const { stdout } = await run('--role enrol');
  t.match(createVerifier([SECRET])(stdout.trim()), { ok: true, identity: { role: 'enrol' } });
  t.notOk('enrol_max' in decodeJwt(stdout));
});

t.test('--out writes a new file for its owner alone, and never through a link', async (t) => {
  const folder = t.testdir({ taken: 'kept', target: t.fixture('symlink', 'nowhere') });
  const before = process.umask(0);
  const { stdout, error } = await run(`--role admin --out ${folder}/token`);
  process.umask(before);
  t.equal(error, undefined);
  t.equal(stdout, '');
  const file = join(folder, 'token');
  t.equal((await stat(file)).mode & 0o777, 0o600);
  t.match(createVerifier([SECRET])((await readFile(file, 'utf8')).trim()), { ok: true });
  for (const name of ['taken', 'target', 'token', 'no/folder']) {
    const { error } = await run(`--role admin --out ${folder}/${name}`);
    t.type(error, UsageError, name);
  }
  t.equal(await readFile(join(folder, 'taken'), 'utf8'), 'kept');
  t.same((await readdir(folder)).sort(), ['taken', 'target', 'token']);
});

t.test('the first of two secrets signs', async (t) => {
  const env = { JWT_SECRET: SECRET, JWT_SECRET_PREVIOUS: `older: ${SECRET}` };
  const { stdout } = await run('--role admin', env);
  t.match(createVerifier([SECRET])(stdout.trim()), { ok: true });
});

t.test('without a configured secret on loopback, the kept secret signs', async (t) => {
  const DATA_DIR = join(t.testdir({}), 'data');
  const { stdout } = await run('--role admin', { DATA_DIR });
  t.strictSame(await readdir(DATA_DIR), ['jwt-secret']);
  const secret = (await readFile(join(DATA_DIR, 'jwt-secret'), 'utf8')).trim();
  t.match(createVerifier([secret])(stdout.trim()), { ok: true });
});

t.test('with only a public key no token is signed, and no secret is created', async (t) => {
  const DATA_DIR = t.testdir({});
  const env = { DATA_DIR, JWT_PUBLIC_KEY: keyPair('EdDSA').pem };
  const { stdout, error } = await run('--role admin', env);
  t.match(error, { message: /No token can be signed here: JWT_PUBLIC_KEY.*set JWT_SECRET/ });
  t.equal(selectExitCode(error), ExitCode.usage);
  t.equal(stdout, '');
  t.strictSame(await readdir(DATA_DIR), []);
  const both = await run('--role admin', { ...env, JWT_SECRET: SECRET });
  t.match(createVerifier([SECRET])(both.stdout.trim()), { ok: true });
});

t.test(
  'a command line that cannot be meant is refused with exit code 2, and prints no token',
  async (t) => {
    const bad = [
      '',
      '--role root',
      '--role agent',
      '--role agent --sub vm-1',
      '--role agent --hostname vm-1 --sub x',
      '--role agent --hostname=',
      `--role agent --hostname ${'x'.repeat(256)}`,
      '--role admin --hostname vm-1',
      '--role admin --sub=',
      '--role admin extra',
      '--role admin --max 5',
      '--role enrol --max 0',
      '--role enrol --max x',
      '--role enrol --pattern=',
      '--role agent --hostname vm\u200B-1',
      '--role agent --hostname vm-1\u202E',
      '--role admin --forever',
      ...[
        '',
        '0s',
        '30',
        'd',
        '1.5h',
        '-1h',
        '1w',
        '30D',
        '1h30m',
        '3651d',
        '9999999999d',
        '1e3s',
        ' 1h',
        'never',
      ].map((ttl) => `--role admin --ttl=${ttl}`),
    ];
    for (const args of bad) {
      const { stdout, error } = await run(args);
      t.ok(error instanceof UsageError || error instanceof CommanderError, args);
      t.equal(selectExitCode(error), ExitCode.usage, args);
      t.equal(stdout, '', args);
    }
  },
);

t.test(
  'a configuration that cannot be used is refused with exit code 2, without its secret',
  async (t) => {
    for (const env of [
      { JWT_SECRET: 'hunter2' },
      { HOST: '0.0.0.0' },
      { JWT_SECRET: SECRET, PORT: 'x' },
    ]) {
      const { stdout, error } = await run('--role admin', env);
      t.type(error, ConfigError);
      t.equal(selectExitCode(error), ExitCode.usage);
      t.equal(stdout, '');
      t.notMatch(String(error), 'hunter2');
    }
  },
);

t.test('help names the defaults, reads no configuration, and ends with 0', async (t) => {
  const { stdout, error } = await run('--help', { PORT: 'x' });
  t.equal(selectExitCode(error), ExitCode.ok);
  t.match(stdout.replace(/\s+/g, ' '), '30d for agents, 12h for others');
  for (const word of ['--role', 'agent', 'dashboard', 'admin', '--hostname', '--sub', '--ttl']) {
    t.match(stdout, word);
  }
});
