// When a gateway acquires, renews and releases its lease, and when it writes, against a scripted
// database.

import t, { type Test } from 'tap';
import type { GatewayLeases } from '../../../src/gateway/database/presence.js';
import { Lease, type LeaseDatabase } from '../../../src/gateway/presence/lease.js';
import { PendingWrites, type WriteBatch } from '../../../src/gateway/presence/pending-writes.js';
import { until } from '../../helpers/until.js';

type Call = readonly [name: string, instance: string, detail?: unknown];

/** Answers what the test sets, and records the calls. */
class ScriptedDatabase implements LeaseDatabase {
  readonly calls: Call[] = [];
  others: readonly string[] = [];
  nextExpiryMs: number | undefined;
  /** The names whose lease has ended. */
  readonly ended = new Set<string>();
  failing = false;
  /** The assignments whose pushes were written. */
  readonly pushes: string[] = [];

  async acquire(instance: string): Promise<GatewayLeases> {
    this.#note('enter', instance);
    return this.#standing(instance);
  }

  async renew(instance: string, _: number, complete: boolean): Promise<GatewayLeases | undefined> {
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

  #standing(instance: string): GatewayLeases {
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
  const log = {
    gatewaysChanged: 0,
    lost: 0,
    written: 0,
    renewed: 0,
    failed: 0,
    setAside: [] as string[],
  };
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
      setAside: (hostname) => log.setAside.push(hostname),
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

t.test('it acquires a lease, writes under it, and renews it', async (t) => {
  const { database, log, lease, arrive } = setUp(t);
  arrive('early');
  t.same(database.calls, [], 'nothing before it is started');
  lease.start();
  await until('the early one is written', () => log.written === 1);
  arrive('a');
  arrive('b');
  await until('both agents are written', () => log.written === 3);
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

t.test('a push is written together with a connect, and does not delay it', async (t) => {
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

t.test('after a lost lease it acquires another and writes all agents again', async (t) => {
  for (const discovery of ['write', 'renew']) {
    const { database, log, lease, arrive } = setUp(t);
    lease.start();
    arrive('a');
    await until('a is written', () => log.written === 1);
    database.ended.add('g-1');
    if (discovery === 'write') arrive('b');
    await until('it has acquired another lease', () => database.of('enter').length === 2);
    const all = discovery === 'write' ? 3 : 2;
    await until('all are written again', () => log.written === all);
    const last = database.of('write').at(-1);
    t.equal(last?.[1], 'g-2');
    t.ok((last?.[2] as string[]).includes('a'));
    t.equal(log.lost, 1);
    t.ok(log.gatewaysChanged >= 1, 'the presence of all agents is read again');
    await lease.stop();
  }
});

t.test('the end of another gateway is detected when its lease ends', async (t) => {
  const { database, log, lease } = setUp(t, 3_600_000);
  database.others = ['other-1'];
  database.nextExpiryMs = 30;
  lease.start();
  await until('it has a lease', () => database.calls.length > 0);
  database.others = [];
  database.nextExpiryMs = undefined;
  await until('its end is reported', () => log.gatewaysChanged === 1);
  t.equal(database.of('renew').length, 1, 'long before its own lease is due');
});

t.test('a failed write is repeated', async (t) => {
  const { database, log, lease, arrive } = setUp(t);
  lease.start();
  await until('it has a lease', () => database.calls.length > 0);
  database.failing = true;
  arrive('a');
  await until('the write has failed', () => log.failed > 0);
  database.failing = false;
  await until('it is written', () => log.written === 1);
});

t.test('the watermark advances only over what is written, and not while it drains', async (t) => {
  const { database, log, lease } = setUp(t);
  lease.start();
  await until('the watermark advanced', () =>
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
});

t.test('the lease is released after everything is written', async (t) => {
  const { database, lease, arrive } = setUp(t, 60_000);
  lease.start();
  await until('it has a lease', () => database.calls.length > 0);
  arrive('a');
  await lease.stop();
  t.same(
    database.calls.map(([name]) => name),
    ['enter', 'write', 'leave'],
  );
  lease.start();
  arrive('b');
  await lease.stop();
  t.equal(database.calls.length, 3, 'it is released once, and does not start again');
});

t.test('it stops even if the database is down', async (t) => {
  const { database, log, lease } = setUp(t);
  lease.start();
  await until('it has a lease', () => database.calls.length > 0);
  database.failing = true;
  await lease.stop();
  t.ok(log.failed > 0);
  const never = setUp(t);
  await never.lease.stop();
  t.same(never.database.calls, [], 'a lease that never started is not released');
});
