// `serve` as a process: its output, its requirements, and its exit codes.

import { createServer } from 'node:net';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { startServer, type TestDatabase } from '../helpers/database.js';
import { keyPair } from '../helpers/key-pairs.js';
import { run, runCommand, temporaryFolder, type Program } from '../helpers/process.js';
import { connect } from '../helpers/raw-client.js';

const SECRET = 'a secret that only tests know, of enough bytes';

const urlOf = ({ config }: TestDatabase): string =>
  `postgresql://${config.user}@localhost/${config.database}?host=${encodeURIComponent(String(config.host))}&port=${config.port}`;

const gatewayUrl = ({ stdout }: Program): string | undefined =>
  /Gateway +(http:\S+)/.exec(stdout)?.[1];

async function ready(url: string): Promise<void> {
  while (!(await fetch(`${url}/health/ready`)).ok) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

t.test(
  'with nothing named it brings its own database, and its one command shows a push',
  async (t) => {
    const dataDir = await temporaryFolder(t);
    const env = { PORT: '0', DATA_DIR: dataDir };
    const gateway = runCommand(t, ['serve'], env);
    await ready(await gateway.until(gatewayUrl));

    t.match(gateway.stdout, `Database: embedded, in ${dataDir}\n`);

    const pasted = await gateway.until(({ stdout }) => /^ +(\(sleep .*)$/m.exec(stdout)?.[1]);
    const shell = run(t, 'sh', ['-c', pasted.replace('watch', 'watch --json')]);
    await shell.until(({ stdout }) => stdout.includes('"type":"assignment"'));

    const { mode } = await stat(join(dataDir, 'jwt-secret'));
    t.equal(mode & 0o777, 0o600, 'the secret is its own');
    t.notMatch(gateway.stdout, 'Bearer', 'no token where nobody looks');

    gateway.child.kill('SIGTERM');
    t.same(await gateway.exited, { code: 0, signal: null });
    t.equal(await stat(join(dataDir, 'gateway.lock')).catch(() => undefined), undefined);
  },
);

t.test('on a configured database', async (t) => {
  const server = await startServer(t);

  t.test('SIGTERM closes sockets with a code to reconnect, and ends with 0', async (t) => {
    const database = await server.createDatabase({ migrate: false });
    const env = { PORT: '0', DATABASE_URL: urlOf(database), JWT_SECRET: SECRET };
    const gateway = runCommand(t, ['serve'], env);
    const url = await gateway.until(gatewayUrl);
    await ready(url);
    const token = runCommand(t, ['token', '--role', 'agent', '--hostname', 'vm-1'], env);
    await token.exited;
    const agent = await connect(`${url.replace('http', 'ws')}/v1/vms/vm-1`, [
      'lablink.v1',
      `bearer.${token.stdout.trim()}`,
    ]);
    await agent.nextMessage('absent');
    gateway.child.kill('SIGTERM');
    t.match(await agent.closed, { code: 1012 });
    t.same(await gateway.exited, { code: 0, signal: null });
  });

  t.test('a gateway with only a public key verifies, creates no secret, and says so', async (t) => {
    const { pem, sign } = keyPair('ES256');
    const dataDir = await temporaryFolder(t);
    const gateway = runCommand(t, ['serve'], {
      PORT: '0',
      DATA_DIR: dataDir,
      DATABASE_URL: urlOf(await server.createDatabase()),
      JWT_PUBLIC_KEY: pem.replaceAll('\n', '\\n'),
    });
    const url = await gateway.until(gatewayUrl);
    t.match(gateway.stdout, 'Tokens are signed elsewhere');
    await ready(url);
    const exp = Math.floor(Date.now() / 1000) + 600;
    const token = await sign({ sub: 'ada', role: 'admin', exp });
    const headers = { authorization: `Bearer ${token}` };
    t.same(await (await fetch(`${url}/v1/vms`, { headers })).json(), {
      vms: [],
      presence: [],
      next: null,
    });
    t.same(await readdir(dataDir), []);
  });

  t.test('an unknown schema that must not be changed is refused with 4', async (t) => {
    const database = await server.createDatabase({ migrate: false });
    const gateway = runCommand(t, ['serve'], {
      PORT: '0',
      DATABASE_URL: urlOf(database),
      JWT_SECRET: SECRET,
      MIGRATE: 'check',
    });
    t.match(await gateway.exited, { code: 4 });
    t.match(gateway.stderr, 'db migrate');
  });

  t.test('a port that is taken is refused with 2', async (t) => {
    const database = await server.createDatabase();
    const other = createServer().listen(0, '127.0.0.1');
    t.teardown(() => other.close());
    await once(other, 'listening');
    const address = other.address();
    const gateway = runCommand(t, ['serve'], {
      PORT: String(typeof address === 'object' && address?.port),
      DATABASE_URL: urlOf(database),
      JWT_SECRET: SECRET,
    });
    t.match(await gateway.exited, { code: 2 });
    t.match(gateway.stderr, /Port \d+ of 127\.0\.0\.1 is taken: choose another/);
  });

  t.test('serve waits for a late database, alive but not ready', async (t) => {
    const database = await server.createDatabase();
    const late = 'late_one';
    const gateway = runCommand(t, ['serve'], {
      PORT: '0',
      DATABASE_URL: urlOf({ ...database, config: { ...database.config, database: late } }),
      JWT_SECRET: SECRET,
    });
    const url = await gateway.until(({ stderr }) => /listening at (http:[^"]+)/.exec(stderr)?.[1]);
    await gateway.until(({ stderr }) => stderr.includes('waiting for the database'));
    t.equal((await fetch(`${url}/health/live`)).status, 200);
    t.equal((await fetch(`${url}/health/ready`)).status, 503);
    const admin = new pg.Client(database.adminConfig);
    await admin.connect();
    await admin.query(`CREATE DATABASE ${late} OWNER lablink`);
    await admin.end();
    await ready(url);
  });

  t.end();
});

t.test('the end of the embedded database ends the gateway with 3', async (t) => {
  const dataDir = await temporaryFolder(t);
  const gateway = runCommand(t, ['serve'], { PORT: '0', DATA_DIR: dataDir });
  await ready(await gateway.until(gatewayUrl));
  const [pid = ''] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split(
    '\n',
  );
  process.kill(Number(pid), 'SIGKILL');
  t.match(await gateway.exited, { code: 3 });
  t.match(gateway.stderr, 'PostgreSQL ended');
});

t.test('errors of the configuration are reported at once, with 2', async (t) => {
  const gateway = runCommand(t, ['serve'], { PORT: 'many', HOST: '0.0.0.0', LABLINK_WHAT: '1' });
  t.match(await gateway.exited, { code: 2 });
  for (const name of ['PORT', 'JWT_SECRET', 'LABLINK_WHAT']) t.match(gateway.stderr, name);
});

t.test(
  'a gateway that others can reach does not start a database that was not asked for',
  async (t) => {
    const gateway = runCommand(t, ['serve'], { HOST: '0.0.0.0', JWT_SECRET: SECRET });
    t.match(await gateway.exited, { code: 2 });
    t.match(gateway.stderr, 'expected DATABASE_URL, or DATA_DIR');
  },
);

t.test('an option of serve stands for its variable', async (t) => {
  const given = ['serve', '--port', 'many', '--host', 'a b', '--database-url', 'x'];
  const gateway = runCommand(t, given, { PORT: '0' });
  t.match(await gateway.exited, { code: 2 });
  for (const name of ['PORT is "many"', 'HOST is "a b"', 'DATABASE_URL'])
    t.match(gateway.stderr, name);
});

t.test('an unknown option ends with 2, and the version is printed', async (t) => {
  const unknown = runCommand(t, ['serve', '--bogus'], {});
  t.match(await unknown.exited, { code: 2 });
  t.equal(unknown.stderr, "error: unknown option '--bogus'\nAdd --help to see what there is.\n");
  const version = runCommand(t, ['--version'], {});
  t.match(await version.exited, { code: 0 });
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});
