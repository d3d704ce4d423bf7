// Through PgBouncer in transaction mode: a gateway that can hear nothing says so, and what to do;
// with LISTEN led past the pooler it works, and leaves nothing of its own on the connections that
// it shares with others.

import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import pg from 'pg';
import { startServer } from '../helpers/database.js';
import { startGateway, type TestGateway } from '../helpers/gateway.js';
import { listening } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';
import { watch } from './checker.js';
import { noPgBouncer, startPgBouncer } from './pgbouncer.js';
import { HOSTNAMES, Writers } from './writers.js';

const server = await startServer(t);

async function connected(t: Test, config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

t.test('LISTEN through the pooler', { skip: noPgBouncer }, async (t) => {
  for (const poolSize of [1, 5]) {
    const database = await server.createDatabase();
    const pooled = await startPgBouncer(t, database, poolSize);
    const client = await connected(t, pooled);
    const heard: unknown[] = [];
    client.on('notification', ({ payload }) => heard.push(payload));
    await client.query('LISTEN self');
    await client.query(`NOTIFY self, 'mine'`);
    t.same(heard, ['mine'], 'what a client sends itself may come back');

    const gateway = await startGateway(t, database, {
      database: pooled,
      listenDatabase: pooled,
      timing: { beatIntervalMs: 50, beatDeadlineMs: 500 },
      waitReady: false,
    });
    const untilNamed = () =>
      until('the reason is named', async () =>
        (await gateway.notReady()).includes('set LISTEN_DATABASE_URL to the server itself'),
      );
    await untilNamed();
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
    const admin = await gateway.connect('/v1/vms', 'admin');
    t.match(await admin.next(), { type: 'welcome', live: false });
    // Long enough for several connections, each ended for its missed heartbeat.
    for (let looks = 0; looks < 60; looks++) {
      const { status } = await gateway.fetch('/health/ready');
      if (status !== 503) t.fail('ready, though it hears nothing');
      await sleep(30);
    }
    await untilNamed();
    t.notOk(admin.messages.some(({ live }) => live === true));
  }
});

/** Asks over HTTP in the name of `sub`. */
async function ask(gateway: TestGateway, sub: string, method: string, path: string, body?: object) {
  const authorization = `Bearer ${await gateway.token('admin', sub)}`;
  const answer = await fetch(gateway.url + path, {
    method,
    ...(body === undefined
      ? { headers: { authorization } }
      : {
          headers: { authorization, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
  });
  return answer.status;
}

t.test('queries through the pooler, LISTEN past it', { skip: noPgBouncer }, async (t) => {
  const database = await server.createDatabase();
  const pooled = await startPgBouncer(t, database, 2);
  const gateway = await startGateway(t, database, { database: pooled });
  const checker = await watch(t, gateway, HOSTNAMES);

  t.test('the feed', async (t) => {
    const writers = new Writers(t, () => pooled);
    await writers.write(400);
    await checker.settled(database);
    t.same(await checker.violations(database), []);
    t.equal((await listening(database)).length, 1);
  });

  t.test('changes over HTTP, each in the name of who asked for it', async (t) => {
    await database.query('DELETE FROM vms; DELETE FROM vm_events');
    const people = Array.from({ length: 8 }, (_, n) => `person-${n}`);
    await Promise.all(people.map((sub) => ask(gateway, sub, 'PUT', `/v1/vms/of-${sub}`)));
    const other = await connected(t, pooled);
    const assign = (sub: string, email: string) =>
      ask(gateway, sub, 'POST', '/v1/assignments', { email });
    const [hers] = await Promise.all([
      Promise.all(people.map(() => assign('ada', 'ada@b.c'))),
      Promise.all(people.slice(1).map((sub) => assign(sub, `${sub}@b.c`))),
      other.query(`UPDATE vms SET email = 'x' WHERE status = 'none'`),
    ]);
    t.same(hers.sort(), [...Array<number>(7).fill(200), 201], 'one VM for one person');
    const recorded = await database.query<{
      actor: string;
      hostname: string;
      new_email: string | null;
    }>('SELECT actor, hostname, new_email FROM vm_events');
    t.equal(recorded.length, 2 * people.length, 'eight registered, eight assigned');
    for (const { actor, hostname, new_email } of recorded) {
      const expected = new_email?.replace('@b.c', '') ?? hostname.replace('of-', '');
      t.equal(actor, `admin:${expected}`);
    }
    await checker.settled(database);
  });

  t.test('nothing of it stays for other clients of the pooler', async (t) => {
    const others = await Promise.all([connected(t, pooled), connected(t, pooled)]);
    await Promise.all(others.map((other) => other.query('BEGIN')));
    for (const other of others) {
      const { rows } = await other.query(
        `SELECT current_setting('lablink.actor', true) AS actor,
           current_setting('lablink.request_id', true) AS request_id,
           current_setting('lock_timeout') AS lock_timeout,
           current_setting('statement_timeout') AS statement_timeout`,
      );
      t.match(rows, [{ actor: /^$/, request_id: /^$/, lock_timeout: '0', statement_timeout: '0' }]);
      await other.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'new')`, [
        `other-${others.indexOf(other)}`,
      ]);
      await other.query('COMMIT');
    }
    const recorded = await database.query(
      `SELECT actor FROM vm_events WHERE hostname LIKE 'other-%'`,
    );
    t.same(recorded, [{ actor: null }, { actor: null }]);
    const held = await database.query(`SELECT FROM pg_locks WHERE locktype = 'advisory'`);
    t.equal(held.length, 0);
    await checker.settled(database);
  });

  t.end();
});
