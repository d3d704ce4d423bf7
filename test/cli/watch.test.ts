// `watch` as a process: its output on stdout and stderr, and its exit codes.

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { ExitCode, selectExitCode, UsageError } from '../../src/cli/exit.js';
import { createWatchCommand } from '../../src/cli/watch.js';
import { FakeGateway, problem } from '../client/fake-gateway.js';
import { assignment, changes, deletion, row, snapshot, status, upsert } from '../client/rows.js';
import { run, temporaryFolder, type Program } from '../helpers/process.js';

const builtOf = (name: string): string => JSON.stringify(pathToFileURL(`dist/cli/${name}`).href);

/** Runs the subcommand with the environment's gateway as the default. */
const PROGRAM = `
  import { createWatchCommand } from ${builtOf('watch.js')};
  import { explainError, selectExitCode } from ${builtOf('exit.js')};
  const findGateway = async () => ({
    url: process.env.GATEWAY,
    token: async () => process.env.TOKEN,
  });
  try {
    await createWatchCommand(findGateway).parseAsync(process.argv.slice(1), { from: 'user' });
  } catch (error) {
    console.error(explainError(error));
    process.exitCode = selectExitCode(error);
  }
`;

function watch(t: Test, args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const node = ['--input-type=module', `--eval=${PROGRAM}`, '--'];
  return run(t, process.execPath, [...node, ...args], { env });
}

const lines = ({ stdout }: Program): string[] =>
  stdout.split('\n').map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  /, ''));

const ended = (code: number) => ({ code, signal: null });

t.test('watch prints a line for each change of one VM until a signal', async (t) => {
  const gateway = await FakeGateway.start(t);
  const program = watch(t, ['vm 1'], { GATEWAY: gateway.url, TOKEN: 'default' });
  const peer = await gateway.welcomed();
  t.equal(peer.target, '/v1/vms/vm%201');
  t.equal(peer.offered, 'lablink.v1,bearer.default');
  peer.send(
    status('vm 1'),
    assignment('vm 1', { version: 2 }),
    assignment('vm 1', { version: 2 }),
    { type: 'absent', hostname: 'vm 1' },
    { type: 'feed', live: false },
    status('vm 1', { version: 4 }),
  );
  await program.until(({ stdout }) => stdout.includes('new\n'));
  t.same(lines(program), [
    'vm 1  available  -  current',
    'vm 1  in-use  ada@example.org  changed: email, status',
    'vm 1  -  -  deleted',
    'vm 1  available  -  new',
    '',
  ]);
  await program.until(({ stderr }) => stderr.includes('stale:'));
  program.child.kill('SIGINT');
  t.same(await program.exited, ended(0));
  t.equal(await peer.closed, 1000, 'with a goodbye');
});

t.test('watch prints all VMs, and the state of the connection on stderr', async (t) => {
  const gateway = await FakeGateway.start(t);
  const program = watch(t, [], { GATEWAY: gateway.url, TOKEN: 't' });
  const peer = await gateway.welcomed();
  t.equal(peer.target, '/v1/vms');
  peer.send(snapshot('g1.2', row('a'), row('b')));
  peer.send(changes('g1.4', upsert(row('c')), deletion('a'), upsert(row('b', { email: 'x' }))));
  await program.until(({ stdout }) => stdout.includes('changed'));
  peer.ws.close(1012, 'restarting');
  const next = await gateway.welcomed();
  next.send(snapshot('g2.1', row('b', { email: 'x' }), row('d')));
  await program.until(({ stdout }) => stdout.includes('  d  '));
  t.same(lines(program), [
    'a  available  -  current',
    'b  available  -  current',
    'c  available  -  new',
    'a  -  -  deleted',
    'b  available  x  changed: email',
    'c  -  -  deleted',
    'd  available  -  new',
    '',
  ]);
  await program.until(({ stderr }) => stderr.endsWith('live\n') && stderr !== 'live\n');
  t.match(program.stderr, /^live\nreconnecting in [0-2] s: restarting\nlive\n$/);
  program.child.kill('SIGTERM');
  t.same(await program.exited, ended(0));
});

t.test('--json prints the messages unchanged, one per line', async (t) => {
  const gateway = await FakeGateway.start(t);
  const program = watch(t, ['vm-1', '--json'], { GATEWAY: gateway.url, TOKEN: 't' });
  const peer = await gateway.peers.next();
  const frames = [
    '{ "type":"welcome","heartbeat_ms":60000,"live":true }',
    '{"type":"status","vm":{"hostname":"vm-1","status":"available","big":12345678901234567890}}',
    '{"type":"tomorrow"}',
  ];
  for (const frame of frames) peer.ws.send(frame);
  peer.ws.send(
    '{"type":"status","vm":{"hostname":"vm-1","status":"x","json":{\r\n\n"a": "b\\n"}}}',
  );
  await program.until(({ stdout }) => stdout.includes('"x"'));
  t.same(program.stdout.split('\n'), [
    ...frames,
    '{"type":"status","vm":{"hostname":"vm-1","status":"x","json":{ "a": "b\\n"}}}',
    '',
  ]);
});

t.test('--url and --token-file name another gateway; the file is read again', async (t) => {
  const gateway = await FakeGateway.start(t);
  const file = join(await temporaryFolder(t), 'token');
  await writeFile(file, 'first\n');
  const program = watch(t, ['--url', gateway.url, '--token-file', file]);
  const peer = await gateway.welcomed();
  t.equal(peer.offered, 'lablink.v1,bearer.first');
  await writeFile(file, 'second\n');
  peer.ws.close(4401);
  t.equal((await gateway.peers.next()).offered, 'lablink.v1,bearer.second');
  program.child.kill('SIGINT');
  t.same(await program.exited, ended(0));
});

t.test('a final rejection is explained, and ends with 1', async (t) => {
  const gateway = await FakeGateway.start(t);
  gateway.refusal = problem(403, 'not_allowed');
  const program = watch(t, ['vm-1'], { GATEWAY: gateway.url, TOKEN: 't' });
  t.same(await program.exited, ended(1));
  t.equal(program.stderr, 'refused: HTTP 403 not_allowed: because not_allowed\n');
  t.equal(program.stdout, '');
});

t.test('a token that is not valid ends with 1, and is not tried again', async (t) => {
  const gateway = await FakeGateway.start(t);
  gateway.refusal = problem(401, 'token_invalid');
  const program = watch(t, ['vm-1'], { GATEWAY: gateway.url, TOKEN: 't' });
  t.same(await program.exited, ended(1));
  t.equal(program.stderr, 'refused: HTTP 401 token_invalid: because token_invalid\n');
});

t.test('a closed stdout ends watch without an error', async (t) => {
  const gateway = await FakeGateway.start(t);
  const program = watch(t, ['--json'], { GATEWAY: gateway.url, TOKEN: 't' });
  const peer = await gateway.welcomed();
  const { stdout } = program.child;
  if (stdout === null) throw new Error('no stdout');
  await program.until((program) => program.stdout.includes('welcome'));
  stdout.destroy();
  await once(stdout, 'close');
  peer.send(snapshot('g1.1'));
  t.equal(await peer.closed, 1000);
  t.same(await program.exited, ended(0));
  t.notMatch(program.stderr, 'EPIPE');
});

t.test('bad usage ends with 2', async (t) => {
  const cases: [args: string[], said: RegExp][] = [
    [['--url', 'gopher://x'], /gopher:\/\/x is not the URL of a gateway/],
    [['--url', 'http://x', '--token-file', '/no/such'], /\/no\/such cannot be read/],
    [[''], /at least one character/],
    [[], /no secret/],
    [['--jason'], /unknown option/],
    [['a', 'b'], /too many arguments/],
  ];
  for (const [args, said] of cases) {
    const token = (): Promise<string> =>
      args.length === 0 ? Promise.reject(new UsageError('no secret')) : Promise.resolve('t');
    const command = createWatchCommand(async () => ({ url: 'http://127.0.0.1:1', token }));
    command.configureOutput({ writeErr: () => undefined });
    const error: unknown = await command
      .parseAsync(args, { from: 'user' })
      .catch((e: unknown) => e);
    t.equal(selectExitCode(error), ExitCode.usage, args.join(' '));
    t.match(error, { message: said });
  }
});
