// The subcommands `token revoke` and `token inspect`: which tokens they revoke, what they print,
// and their exit codes.

import { Command } from 'commander';
import { decodeJwt } from 'jose';
import t, { type Test } from 'tap';
import { selectExitCode } from '../../src/cli/exit.js';
import { createTokenCommand } from '../../src/cli/token.js';
import { loadConfig } from '../../src/config/load.js';
import { signToken } from '../../src/gateway/auth/token.js';
import { startServer } from '../helpers/database.js';
import { formatUrl } from '../helpers/db-command.js';

const SECRET = 'a secret that only this test knows of';
const { createDatabase } = await startServer(t);

const sign = (sub: string, ttlSeconds = 600, secret = SECRET): string =>
  signToken({ sub, role: 'agent', ttlSeconds }, secret);

interface Run {
  readonly stdout: string;
  readonly code: number;
}

/** Runs `lablink-gateway token …` with this environment. */
async function run(env: NodeJS.ProcessEnv, ...words: string[]): Promise<Run> {
  let stdout = '';
  const command = createTokenCommand(() => loadConfig(env));
  for (const one of [command, ...command.commands]) {
    one.configureOutput({ writeOut: (text) => (stdout += text), writeErr: () => undefined });
  }
  const program = new Command('lablink-gateway')
    .enablePositionalOptions()
    .exitOverride()
    .addCommand(command);
  process.exitCode = 0;
  const code = await program.parseAsync(['token', ...words], { from: 'user' }).then(
    () => Number(process.exitCode),
    (error: unknown) => selectExitCode(error),
  );
  process.exitCode = 0;
  return { stdout, code };
}

async function setUp(t: Test) {
  const database = await createDatabase();
  const env = { JWT_SECRET: SECRET, DATABASE_URL: formatUrl(database), DATA_DIR: t.testdir({}) };
  const listRevoked = () =>
    database.query('SELECT kind, value, actor FROM vm_token_revocations ORDER BY kind, value');
  return { database, env, listRevoked };
}

t.test('a token is inspected, never printed', async (t) => {
  const { env } = await setUp(t);
  const token = sign('vm-1');
  const { stdout, code } = await run(env, 'inspect', token);
  t.equal(code, 0);
  t.match(stdout, /^valid +yes$/m);
  t.match(stdout, /^revoked +no$/m);
  t.match(stdout, /^role +agent$/m);
  t.match(stdout, /^hostname +vm-1$/m);
  const { jti = '', exp = 0 } = decodeJwt(token);
  t.match(stdout, new RegExp(`^jti +${jti}$`, 'm'));
  t.match(stdout, `expires  ${new Date((exp + 5) * 1000).toISOString()}`);
  for (const part of token.split('.')) t.notMatch(stdout, part);
});

t.test('a token that is not valid ends with 1, and says why', async (t) => {
  const { env } = await setUp(t);
  const expired = await run(env, 'inspect', sign('vm-1', -60));
  t.equal(expired.code, 1);
  t.match(expired.stdout, /^valid +no: expired$/m);
  t.match(expired.stdout, /^hostname +vm-1$/m);
  const foreign = sign('vm-1', 60, 'a secret that this test does not configure');
  for (const token of [foreign, 'x', 'a.b.c']) {
    const { code, stdout } = await run(env, 'inspect', token);
    t.equal(code, 1);
    t.match(stdout, 'valid    no: not signed with a configured key');
    t.notMatch(stdout, 'vm-1', 'and what it claims is not printed');
  }
});

t.test('a token is revoked by itself, by its file, or by its jti', async (t) => {
  const { env, listRevoked } = await setUp(t);
  const [first, second, third] = [sign('vm-1'), sign('vm-1'), sign('vm-1')];
  const file = t.testdir({ token: `${second}\n` });
  const jti = (token: string): string => decodeJwt(token).jti ?? '';
  t.equal((await run(env, 'revoke', first)).code, 0);
  t.equal((await run(env, 'revoke', '--token-file', `${file}/token`)).code, 0);
  t.match(await run(env, 'revoke', '--jti', jti(third)), {
    code: 0,
    stdout: `revoked jti "${jti(third)}"\n`,
  });
  t.same(
    ((await listRevoked()) as { value: string }[]).map(({ value }) => value),
    [first, second, third].map(jti).toSorted(),
  );
  for (const token of [first, second, third]) {
    const { stdout, code } = await run(env, 'inspect', token);
    t.equal(code, 1);
    t.match(stdout, /^valid +yes\nrevoked +yes$/m);
  }
  t.equal((await run(env, 'inspect', sign('vm-1'))).code, 0);
});

t.test('all tokens of a sub are revoked, and later ones are good', async (t) => {
  const { env, listRevoked } = await setUp(t);
  const before = sign('vm-1');
  for (let n = 0; n < 2; n++) t.equal((await run(env, 'revoke', '--sub', 'vm-1')).code, 0);
  t.match(await listRevoked(), [{ kind: 'sub', value: 'vm-1', actor: /^cli:/ }]);
  t.match(await run(env, 'inspect', before), { code: 1, stdout: /^revoked +yes$/m });
  t.match(await run(env, 'inspect', sign('vm-1')), { code: 0, stdout: /^revoked +no$/m });
});

t.test('without a database a token is verified, and its revocation is unknown', async (t) => {
  const env = { JWT_SECRET: SECRET, DATA_DIR: t.testdir({}) };
  const { stdout, code } = await run(env, 'inspect', sign('vm-1'));
  t.equal(code, 1);
  t.match(stdout, /^valid +yes\nrevoked +unknown: No database is configured/m);
  t.equal((await run(env, 'revoke', '--sub', 'vm-1')).code, 2);
});

t.test('a command line that names nothing, or two things, is refused', async (t) => {
  const { env, listRevoked } = await setUp(t);
  const foreign = sign('vm-1', 60, 'a secret that this test does not configure');
  for (const words of [
    [],
    ['--jti', 'a', '--sub', 'b'],
    [sign('vm-1'), '--sub', 'vm-1'],
    ['--sub='],
    ['--jti='],
    ['--token-file', '/nowhere'],
    [foreign],
    ['a', 'b'],
  ]) {
    t.equal((await run(env, 'revoke', ...words)).code, 2, words.join(' '));
  }
  t.same(await listRevoked(), []);
});

t.test('a link has a code instead of a token, and needs a database', async (t) => {
  const { env, database } = await setUp(t);
  const link = ['--role', 'admin', '--sub', 'ada', '--ttl', '1h', '--link'];
  const { code, stdout } = await run(env, ...link, '--url', 'https://lab.example/gateway/');
  t.equal(code, 0);
  t.match(stdout, /^https:\/\/lab\.example\/gateway\/#code=[\w-]{43}\n$/);
  t.match(await database.query('SELECT role, sub, ttl_seconds FROM vm_sign_in_codes'), [
    { role: 'admin', sub: 'ada', ttl_seconds: 3_600 },
  ]);
  t.match((await run({ ...env, PORT: '8123' }, ...link)).stdout, /^http:\/\/127\.0\.0\.1:8123\/#/);
  const without = await run({ JWT_SECRET: SECRET, DATA_DIR: env.DATA_DIR }, ...link);
  t.same(without, { code: 2, stdout: '' });
  t.equal((await run(env, '--role', 'agent', '--hostname', 'vm-1', '--link')).code, 2);
});
