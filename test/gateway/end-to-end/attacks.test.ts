// A hostile client harms no other client: pushes to the others go on, new clients connect, memory
// stays bounded and the process survives. The gateway has few file descriptors, and the attackers
// are processes of their own.

import { once } from 'node:events';
import { resolve } from 'node:path';
import t, { type Test } from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGatewayProcess } from '../../helpers/gateway-process.js';
import { run, type Program } from '../../helpers/process.js';
import { until } from '../../helpers/until.js';

/** Enough for two hundred connections; 184 may be sockets. */
const OPEN_FILES = 300;
const MAX_SOCKETS = 184;
/**
 * More than V8 allocates before it collects garbage, and far less than any attack could pile up.
 */
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

/** A change reaches the agent that it concerns, and a dashboard. */
async function pushGoesOn(): Promise<void> {
  const email = `change-${++changes}-of-many`;
  await database.query(`UPDATE vms SET email = $1 WHERE hostname = 'vm-1'`, [email]);
  const mentions = (message: object): boolean => JSON.stringify(message).includes(`"${email}"`);
  await Promise.all([agent.next(mentions), dashboard.next(mentions)]);
}

/** Begins an attack; returns a function that lists the answers the attacker has printed so far. */
async function attack(t: Test, name: string): Promise<() => string[]> {
  const token = await gateway.token('dashboard', 'attacker');
  const script = resolve('test/gateway/end-to-end/attackers.ts');
  const attacker = run(t, process.execPath, ['--import', 'tsx', script, name, gateway.url, token]);
  t.teardown(() => end(attacker));
  return () => attacker.stdout.split('\n').slice(0, -1);
}

async function end({ child, exited }: Program): Promise<void> {
  child.kill('SIGKILL');
  await exited;
}

/** Makes changes until the attacker has received the answer that the test waits for. */
async function endure(t: Test, isAnswered: () => boolean): Promise<void> {
  for (let n = 0; n < 20 || !isAnswered(); n++) {
    await pushGoesOn();
    await new Promise((done) => setTimeout(done, 50));
  }
  await until('the liveness probe succeeds', isLive);
  const grownBytes = (await gateway.peakBytes()) - peakAtFirst;
  t.ok(grownBytes < MAX_GROWTH_BYTES, `it grew by ${Math.round(grownBytes / 1e6)} MB`);
}

/** The gateway may drop this connection for a newer one, so the request is retried. */
const isLive = (): Promise<boolean> =>
  fetch(`${gateway.url}/health/live`).then(
    ({ ok }) => ok,
    () => false,
  );

/** The answers to other clients once the attack is over and its connection slots are free again. */
async function acceptsNewClients(): Promise<void> {
  const newcomer = await until('a new client connects', () =>
    gateway.connect('/v1/vms', 'dashboard', 'newcomer').catch(() => undefined),
  );
  await newcomer.nextMessage('snapshot');
  await newcomer.close();
}

const count = (answers: readonly string[], what: string): number =>
  answers.filter((line) => line === what).length;

t.test('a thousand broken handshakes at once', async (t) => {
  const readAnswers = await attack(t, 'broken-handshakes');
  await endure(t, () => readAnswers().length >= 1_000 - OPEN_FILES);
  await acceptsNewClients();
  await until('all are gone', () => readAnswers().length === 1_000);
  t.equal(count(readAnswers(), '101'), 0);
});

t.test('ten thousand frames a second', async (t) => {
  const readAnswers = await attack(t, 'frames');
  await endure(t, () => readAnswers().length >= 2);
  t.same(new Set(readAnswers()), new Set(['4429']));
  await acceptsNewClients();
});

t.test('a frame of 100 MB', async (t) => {
  const readAnswers = await attack(t, 'huge');
  await endure(t, () => readAnswers().length === 2);
  t.same(readAnswers(), ['1009', '1009']);
});

t.test('headers that never end', async (t) => {
  const readAnswers = await attack(t, 'slowloris');
  await endure(t, () => readAnswers().length >= 500);
  await acceptsNewClients();
});

t.test('more sockets than files', async (t) => {
  await t.test('the socket past the limit is rejected', async (t) => {
    const readAnswers = await attack(t, 'sockets');
    const areIn = () => count(readAnswers(), '101') >= MAX_SOCKETS - 2;
    await endure(t, () => readAnswers().length >= 300 && areIn());
    t.equal(count(readAnswers(), '101'), MAX_SOCKETS - 2, 'all but the two earlier clients');
    t.ok(count(readAnswers(), '503') > 0);
    t.equal(readAnswers().filter((line) => !['101', '503', '1006'].includes(line)).length, 0);
  });
  await acceptsNewClients();
});

t.test('dashboards that read nothing', async (t) => {
  const readAnswers = await attack(t, 'slow-readers');
  await until('they are connected', () => count(readAnswers(), '101') === 40);
  const note = 'x'.repeat(200);
  for (let n = 0; n < 20; n++) await database.query('UPDATE vms SET email = $1', [`${note}${n}`]);
  await endure(t, () => true);
});

t.test('the gateway shuts down cleanly after the attacks', async (t) => {
  const ends = once(agent.ws, 'close');
  gateway.program.child.kill('SIGTERM');
  t.equal((await ends)[0], 1012);
  t.same(await gateway.program.exited, { code: 0, signal: null });
});
