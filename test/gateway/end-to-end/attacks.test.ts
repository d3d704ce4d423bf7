// Whoever means harm harms nobody else: the others' pushes go on, newcomers get in, memory stays bounded and the process
// lives. The gateway has few files to open, and the attackers are processes of their own.

import { once } from 'node:events';
import { resolve } from 'node:path';
import t, { type Test } from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGatewayProcess } from '../../helpers/gateway-process.js';
import { run, type Program } from '../../helpers/process.js';
import { until } from '../../helpers/until.js';

/** Room for two hundred connections, 184 of them sockets. */
const OPEN_FILES = 300;
const MAX_SOCKETS = 184;
/** More than V8 takes before it collects, and far less than any of the attacks could pile up. */
const MAX_GROWTH_BYTES = 200e6;

const { createDatabase } = await startServer(t);
const database = await createDatabase();
await database.query(
  `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 500) n`,
);
const gateway = await startGatewayProcess(t, database, { openFiles: OPEN_FILES });
const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
const dashboard = await gateway.connect('/v1/vms', 'dashboard', 'bystander');
const peakAtFirst = await gateway.peakBytes();
let changes = 0;

/** A change reaches the agent it concerns, and a dashboard. */
async function pushGoesOn(): Promise<void> {
  const email = `change-${++changes}-of-many`;
  await database.query(`UPDATE vms SET email = $1 WHERE hostname = 'vm-1'`, [email]);
  const told = (message: object): boolean => JSON.stringify(message).includes(`"${email}"`);
  await Promise.all([agent.next(told), dashboard.next(told)]);
}

/** Begins an attack; gives what the attacker was told so far. */
async function attack(t: Test, name: string): Promise<() => string[]> {
  const token = await gateway.token('dashboard', 'attacker');
  const script = resolve('test/gateway/attackers.ts');
  const attacker = run(t, process.execPath, ['--import', 'tsx', script, name, gateway.url, token]);
  t.teardown(() => end(attacker));
  return () => attacker.stdout.split('\n').slice(0, -1);
}

async function end({ child, exited }: Program): Promise<void> {
  child.kill('SIGKILL');
  await exited;
}

/** Goes on for so many changes, and until the attacker was told what the test waits for. */
async function endure(t: Test, told: () => boolean): Promise<void> {
  for (let n = 0; n < 20 || !told(); n++) {
    await pushGoesOn();
    await new Promise((done) => setTimeout(done, 50));
  }
  await until('it says that it lives', isLive);
  const grownBytes = (await gateway.peakBytes()) - peakAtFirst;
  t.ok(grownBytes < MAX_GROWTH_BYTES, `it grew by ${Math.round(grownBytes / 1e6)} MB`);
}

/** A connection may be given up for a newer one: then one asks again. */
const isLive = (): Promise<boolean> =>
  fetch(`${gateway.url}/health/live`).then(
    ({ ok }) => ok,
    () => false,
  );

/** What others are told when the attack is over, and their places are free again. */
async function letsNewcomersIn(): Promise<void> {
  const newcomer = await until('a newcomer is let in', () =>
    gateway.connect('/v1/vms', 'dashboard', 'newcomer').catch(() => undefined),
  );
  await newcomer.nextMessage('snapshot');
  await newcomer.close();
}

const count = (told: readonly string[], what: string): number =>
  told.filter((line) => line === what).length;

t.test('a thousand broken handshakes at once', async (t) => {
  const told = await attack(t, 'broken-handshakes');
  await endure(t, () => told().length >= 1_000 - OPEN_FILES);
  await letsNewcomersIn();
  await until('all are gone', () => told().length === 1_000);
  t.equal(count(told(), '101'), 0);
});

t.test('ten thousand frames a second', async (t) => {
  const told = await attack(t, 'frames');
  await endure(t, () => told().length >= 2);
  t.same(new Set(told()), new Set(['4429']));
  await letsNewcomersIn();
});

t.test('a frame of 100 MB', async (t) => {
  const told = await attack(t, 'huge');
  await endure(t, () => told().length === 2);
  t.same(told(), ['1009', '1009']);
});

t.test('headers that never end', async (t) => {
  const told = await attack(t, 'slowloris');
  await endure(t, () => told().length >= 500);
  await letsNewcomersIn();
});

t.test('more sockets than files', async (t) => {
  await t.test('the one too many is refused', async (t) => {
    const told = await attack(t, 'sockets');
    const areIn = () => count(told(), '101') >= MAX_SOCKETS - 2;
    await endure(t, () => told().length >= 300 && areIn());
    t.equal(count(told(), '101'), MAX_SOCKETS - 2, 'but for the two who were there');
    t.ok(count(told(), '503') > 0);
    t.equal(told().filter((line) => !['101', '503', '1006'].includes(line)).length, 0);
  });
  await letsNewcomersIn();
});

t.test('dashboards that read nothing', async (t) => {
  const told = await attack(t, 'slow-readers');
  await until('they are connected', () => count(told(), '101') === 40);
  const note = 'x'.repeat(200);
  for (let n = 0; n < 20; n++) await database.query('UPDATE vms SET email = $1', [`${note}${n}`]);
  await endure(t, () => true);
});

t.test('it ends in order after all that', async (t) => {
  const ends = once(agent.ws, 'close');
  gateway.program.child.kill('SIGTERM');
  t.equal((await ends)[0], 1012);
  t.same(await gateway.program.exited, { code: 0, signal: null });
});
