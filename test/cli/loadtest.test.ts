// `loadtest` as a process, on a temporary gateway and on remote ones: its results, its refusals,
// and that it leaves nothing behind. No time is a condition, only loss, duplicates and order.

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { signToken } from '../../src/gateway/auth/token.js';
import { ExitCode } from '../../src/cli/exit.js';
import type { LoadTestResult } from '../../src/loadtest/result.js';
import { startServer, type TestDatabase } from '../helpers/database.js';
import { startGatewayProcess } from '../helpers/gateway-process.js';
import { runCommand, temporaryFolder, type Program } from '../helpers/process.js';
import { startLiar, type Lie } from '../loadtest/liar.js';

const SECRET = 'a secret that only this test knows, of enough bytes';
const { createDatabase } = await startServer(t);

function loadtest(t: Test, args: string, env: NodeJS.ProcessEnv = {}): Program {
  return runCommand(t, ['loadtest', ...args.split(' ')], env);
}

/** Reads the JSON it printed, and checks its exit code. */
async function resultOf(t: Test, program: Program, code: number): Promise<LoadTestResult> {
  t.match(await program.exited, { code }, program.stderr);
  return JSON.parse(program.stdout) as LoadTestResult;
}

const urlOf = ({ config: { host, port, user, database } }: TestDatabase): string =>
  `postgresql://${user}@localhost/${database}?host=${encodeURIComponent(host ?? '')}&port=${port}`;

const countVms = async (database: TestDatabase): Promise<number> =>
  Number((await database.query<{ count: string }>('SELECT count(*) FROM vms'))[0]?.count);

const SOUND = { lost: 0, duplicated: 0, outOfOrder: 0 };

t.test('a load with three faults loses, duplicates and reorders nothing', async (t) => {
  const page = join(await temporaryFolder(t), 'report.html');
  const faults = 'kill-listener@0.5s,stall-dashboards=1@1s,drop-sockets@1.5s';
  const load = `--agents 150 --dashboards 4 --rate 250 --duration 3s --faults ${faults}`;
  const program = loadtest(t, `${load} --json --html ${page}`);
  const result = await resultOf(t, program, ExitCode.ok);
  t.match(result, { failures: [], interrupted: false, agents: SOUND, dashboards: SOUND });
  t.equal(result.writer.changes, 750);
  t.match(result.agents, { expected: 750 });
  t.match(result.dashboards, { expected: 3_000 });
  for (const { expected, delivered, conflated, latencyMs } of [result.agents, result.dashboards]) {
    t.equal(delivered + conflated, expected);
    t.equal(latencyMs.count, delivered);
    t.ok(delivered > 0);
  }
  t.equal(result.connectMs.count, 154);
  t.equal(result.reconnectMs.count, 154);
  t.same(
    result.faults.map(({ error }) => error),
    [undefined, undefined, undefined],
  );
  t.ok((result.gateway?.cpuSeconds ?? 0) > 0);
  const phases = new Set(result.timeline.map(({ phase }) => phase));
  t.same([...phases], ['connecting', 'load', 'settling']);
  t.match(await readFile(page, 'utf8'), /^<!doctype html>/);
  t.match(program.stderr, / · 154 connected · /, 'it said how it went');
});

t.test('killing and restarting the gateway is a fault like the others', async (t) => {
  const args =
    '--agents 5 --dashboards 1 --rate 50 --duration 2s --faults kill-gateway@0.5s --json';
  const result = await resultOf(t, loadtest(t, args), ExitCode.ok);
  t.match(result, { agents: SOUND, dashboards: SOUND, lostSockets: { 1006: 6 } });
  t.match(result.faults, [{ fault: 'kill-gateway@0.5s' }]);
  t.equal(result.reconnectMs.count, 6);
});

t.test('a remote gateway and its database stay as they were', async (t) => {
  const database = await createDatabase();
  const { url } = await startGatewayProcess(t, database, { env: { JWT_SECRET: SECRET } });
  const remote = `--url ${url} --database-url ${urlOf(database)}`;
  const load = '--agents 20 --dashboards 2 --rate 100 --duration 1s';

  t.test('with the secret: a missed threshold is exit code 1', async (t) => {
    const args = `${remote} ${load} --max-p99 0.001ms --faults kill-listener@0.2s --json`;
    const result = await resultOf(t, loadtest(t, args, { JWT_SECRET: SECRET }), ExitCode.finding);
    t.match(result, { agents: SOUND, dashboards: SOUND });
    t.match(result.failures, [/^p99 of agents/, /^p99 of dashboards/]);
    t.ok((result.gateway?.cpuSeconds ?? -1) >= 0, 'its cost is read from /metrics');
    t.equal(await countVms(database), 0);
  });

  t.test("with an admin's token: an interrupt ends the test early, with a report", async (t) => {
    const file = join(await temporaryFolder(t), 'token');
    const admin = { role: 'admin', sub: 'tester', ttlSeconds: 600 } as const;
    await writeFile(file, signToken(admin, SECRET));
    const program = loadtest(t, `${remote} ${load} --duration 10m --token-file ${file}`);
    await program.until(({ stderr }) => stderr.includes('· load ·'));
    program.child.kill('SIGINT');
    t.match(await program.exited, { code: ExitCode.ok }, program.stderr);
    t.match(program.stdout, /^Ended early\.$/m);
    t.match(program.stdout, /^Passed\.$/m);
    t.equal(await countVms(database), 0);
  });

  t.test('existing rows prevent a test, and stay', async (t) => {
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
    const program = loadtest(t, `${remote} ${load}`, { JWT_SECRET: SECRET });
    t.match(await program.exited, { code: ExitCode.usage });
    t.match(program.stderr, 'has 1 rows that do not belong to a load test');
    t.equal(await countVms(database), 1);
  });

  t.test('another load test prevents a test', async (t) => {
    await database.query(`UPDATE vms SET hostname = 'loadtest-00000'`);
    const program = loadtest(t, `${remote} ${load}`, { JWT_SECRET: SECRET });
    t.match(await program.exited, { code: ExitCode.usage });
    t.match(program.stderr, 'rows of another load test');
    await database.query('DELETE FROM vms');
  });

  t.test('a gateway of another database, or with another secret, is recognized', async (t) => {
    const other = `--url ${url} --database-url ${urlOf(await createDatabase())} ${load}`;
    for (const [secret, message] of [
      [SECRET, 'it uses another database'],
      [`${SECRET}, but another`, 'answers 401'],
    ] as const) {
      const program = loadtest(t, other, { JWT_SECRET: secret });
      t.match(await program.exited, { code: ExitCode.usage });
      t.match(program.stderr, message);
    }
  });
});

t.test('a gateway behind TLS, with an authority of its own', async (t) => {
  const database = await createDatabase();
  const { url } = await startGatewayProcess(t, database, { env: { JWT_SECRET: SECRET } });
  const folder = await temporaryFolder(t);
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', key, '-out', cert, '-days', '2', ...subject],
  ]);
  const pem = { key: await readFile(key), cert: await readFile(cert) };
  const server = createServer(pem, (client) => {
    const gateway = connect(Number(new URL(url).port), '127.0.0.1');
    for (const socket of [client, gateway]) socket.on('error', () => undefined);
    client.pipe(gateway).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const args = `--url https://localhost:${port} --database-url ${urlOf(database)} --agents 5 --dashboards 1 --rate 20 --duration 1s --json`;
  const env = { JWT_SECRET: SECRET, NODE_EXTRA_CA_CERTS: cert };
  const result = await resultOf(t, loadtest(t, args, env), ExitCode.ok);
  t.match(result, { failures: [], agents: SOUND, dashboards: SOUND });
});

t.test('loss, repetition and reordering by a server are found', async (t) => {
  /** @param settle how long messages may be on their way; a lost message takes this time. */
  const found = async (lie: Lie, settle: string): Promise<LoadTestResult['agents']> => {
    const database = await createDatabase();
    const url = await startLiar(t, database, lie);
    const load = '--agents 5 --dashboards 0 --rate 100 --duration 0.5s --json';
    const args = `--url ${url} --database-url ${urlOf(database)} ${load} --settle ${settle}`;
    const program = loadtest(t, args, { JWT_SECRET: SECRET });
    return (await resultOf(t, program, ExitCode.finding)).agents;
  };
  const [lost, repeated, late] = await Promise.all([
    found('lose', '5s'),
    found('repeat', '60s'),
    found('late', '5s'),
  ]);
  t.match(lost, { duplicated: 0, outOfOrder: 0 });
  t.ok(lost.lost > 0);
  t.match(repeated, { lost: 0, outOfOrder: 0 });
  t.ok(repeated.duplicated > 0);
  t.ok(late.outOfOrder > 0);
});

t.test('impossible options are refused before anything is started', async (t) => {
  const refused = [
    ['--profile party', 'Allowed choices are'],
    ['--rate 0', 'Expected a number above 0'],
    ['--faults burn@1s', '"burn@1s" is not a fault'],
    ['--agents 10 --vms 5', '--vms is too small'],
    ['--agents 10 --url http://127.0.0.1:1 --faults kill-gateway@1s', 'omit --url'],
    ['--database-url postgresql://localhost/x', '--database-url and --token-file need --url'],
    ['--url nonsense --database-url postgresql://localhost/x', 'is not the URL of a gateway'],
    ['--url http://127.0.0.1:1 --database-url nonsense', 'it must be a URL like postgresql:'],
  ] as const;
  await Promise.all(
    refused.map(async ([args, message]) => {
      const program = loadtest(t, args, { JWT_SECRET: SECRET });
      t.match(await program.exited, { code: ExitCode.usage }, args);
      t.match(program.stderr, message, args);
    }),
  );
});
