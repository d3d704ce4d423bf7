// A gateway's lease against a database of the test's: when it writes, renews, enters anew and leaves.

import t, { type Test } from 'tap';
import { Lease, type LeaseDatabase, type LeaseState } from '../../../src/gateway/presence/lease.js';
import { PendingWrites, type WriteBatch } from '../../../src/gateway/presence/pending-writes.js';
import { until } from '../../helpers/until.js';

type Call = readonly [name: string, instance: string, detail?: unknown];

/** Answers what the test says, and keeps what was asked. */
class ScriptedDatabase implements LeaseDatabase {
  readonly calls: Call[] = [];
  others: readonly string[] = [];
  nextExpiryMs: number | undefined;
  /** Names whose lease has ended. */
  readonly ended = new Set<string>();
  failing = false;
  /** The assignments whose pushes were written. */
  readonly pushes: string[] = [];

  async acquire(instance: string): Promise<LeaseState> {
    this.#note('enter', instance);
    return this.#standing(instance);
  }

  async renew(instance: string, _: number, complete: boolean): Promise<LeaseState | undefined> {
    this.#note('renew', instance, complete);
    return this.ended.has(instance) ? undefined : this.#standing(instance);
  }

  async write(instance: string, { agents, pushes }: WriteBatch): Promise<boolean> {
    this.pushes.push(...pushes.map(({ assignmentId }) => assignmentId));
    this.#note(
      'write',
      instance,
      agents.map(({ hostname }) => hostname),
    );
    return !this.ended.has(instance);
  }

  async release(instance: string): Promise<void> {
    this.#note('leave', instance);
  }

  of(name: string): Call[] {
    return this.calls.filter(([called]) => called === name);
  }

  #standing(instance: string): LeaseState {
    return { gateways: [...this.others, instance], nextExpiryMs: this.nextExpiryMs };
  }

  #note(...call: Call): void {
    if (this.failing) throw new Error('away');
    this.calls.push(call);
  }
}

function setUp(t: Test, leaseMs = 150, pushWriteGapMs = 10) {
  const pending = new PendingWrites();
  const database = new ScriptedDatabase();
  const log = { gatewaysChanged: 0, lost: 0, written: 0, renewed: 0, failed: 0 };
  const lease = new Lease(
    'g',
    pending,
    database,
    {
      gatewaysChanged: () => log.gatewaysChanged++,
      lost: () => log.lost++,
      written: ({ agents }) => (log.written += agents.length),
      renewed: async () => {
        log.renewed++;
      },
      failed: () => log.failed++,
    },
    { leaseMs, writeGapMs: 5, pushWriteGapMs },
  );
  t.teardown(() => lease.stop());
  const arrive = (hostname: string): void => {
    pending.agentConnected(hostname, performance.now());
    lease.writeSoon();
  };
  return { pending, database, log, lease, arrive };
}

t.test('it enters, writes what comes, and renews its lease', async (t) => {
  const { database, log, lease, arrive } = setUp(t);
  arrive('early');
  t.same(database.calls, [], 'nothing before it is ready');
  lease.start();
  await until('the early one is written', () => log.written === 1);
  arrive('a');
  arrive('b');
  await until('those who came are written', () => log.written === 3);
  t.same(database.of('write').at(-1), ['write', 'g-1', ['a', 'b']], 'in one write');
  await until('the lease is renewed twice', () => log.renewed >= 2);
  t.same(database.of('enter'), [['enter', 'g-1']]);
  t.equal(log.gatewaysChanged, 0);
});

const ASSIGNMENT = '2b1f4b1c-0d3e-4c56-9a7b-000000000000';

t.test('a push is written after a gap of its own', async (t) => {
  const { pending, database, lease } = setUp(t, 3_600_000);
  lease.start();
  await until('it waits', () => database.of('enter').length === 1);
  pending.addPush('a', ASSIGNMENT, performance.now());
  lease.writeSoon();
  await until('it is written', () => database.pushes.length === 1);
  t.same(database.of('write'), [['write', 'g-1', []]]);
});

t.test('a push goes with what is urgent, and holds it up no longer', async (t) => {
  const { pending, database, log, lease, arrive } = setUp(t, 3_600_000, 3_600_000);
  lease.start();
  arrive('first');
  await until('it waits again', () => log.written === 1);
  pending.addPush('a', ASSIGNMENT, performance.now());
  lease.writeSoon();
  arrive('b');
  await until('it is written', () => database.pushes.length === 1);
  t.same(database.of('write').at(-1), ['write', 'g-1', ['b']], 'with b');
});

t.test('a lease that was lost is not renewed: it enters anew and writes all again', async (t) => {
  for (const discovery of ['write', 'renew']) {
    const { database, log, lease, arrive } = setUp(t);
    lease.start();
    arrive('a');
    await until('a is written', () => log.written === 1);
    database.ended.add('g-1');
    if (discovery === 'write') arrive('b');
    await until('it has entered anew', () => database.of('enter').length === 2);
    const all = discovery === 'write' ? 3 : 2;
    await until('all are written again', () => log.written === all);
    const last = database.of('write').at(-1);
    t.equal(last?.[1], 'g-2');
    t.ok((last?.[2] as string[]).includes('a'));
    t.equal(log.lost, 1);
    t.ok(log.gatewaysChanged >= 1, 'what was known of its agents is read again');
    await lease.stop();
  }
});

t.test('another gateway that is no more is noticed when its lease ends', async (t) => {
  const { database, log, lease } = setUp(t, 3_600_000);
  database.others = ['other-1'];
  database.nextExpiryMs = 30;
  lease.start();
  await until('it has entered', () => database.calls.length > 0);
  database.others = [];
  database.nextExpiryMs = undefined;
  await until('it is missed', () => log.gatewaysChanged === 1);
  t.equal(database.of('renew').length, 1, 'long before its own lease is due');
});

t.test('what could not be written is written later', async (t) => {
  const { database, log, lease, arrive } = setUp(t);
  lease.start();
  await until('it has entered', () => database.calls.length > 0);
  database.failing = true;
  arrive('a');
  await until('the write has failed', () => log.failed > 0);
  database.failing = false;
  await until('it is written', () => log.written === 1);
});

t.test(
  'it says what is complete only of what is written, and of nothing once it leaves',
  async (t) => {
    const { database, log, lease } = setUp(t);
    lease.start();
    await until('it was complete', () =>
      database.of('renew').some(([, , complete]) => complete === true),
    );
    lease.beginDrain();
    t.ok(lease.draining);
    const before = database.of('renew').length;
    await until('it has renewed since', () => database.of('renew').length > before + 1);
    t.same(
      database
        .of('renew')
        .slice(before + 1)
        .map(([, , complete]) => complete)
        .includes(true),
      false,
    );
    t.equal(log.failed, 0);
  },
);

t.test('it leaves when everything is written, and only then', async (t) => {
  const { database, lease, arrive } = setUp(t, 60_000);
  lease.start();
  await until('it has entered', () => database.calls.length > 0);
  arrive('a');
  await lease.stop();
  t.same(
    database.calls.map(([name]) => name),
    ['enter', 'write', 'leave'],
  );
  lease.start();
  arrive('b');
  await lease.stop();
  t.equal(database.calls.length, 3, 'there is one goodbye, and nothing begins again');
});

t.test('a database that is away does not keep it from ending', async (t) => {
  const { database, log, lease } = setUp(t);
  lease.start();
  await until('it has entered', () => database.calls.length > 0);
  database.failing = true;
  await lease.stop();
  t.ok(log.failed > 0);
  const never = setUp(t);
  await never.lease.stop();
  t.same(never.database.calls, [], 'one that never began has nothing to leave');
});
