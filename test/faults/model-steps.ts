// The steps of a run of the model: what may befall a table, a gateway and its clients, and what
// each makes of the table.

import fc from 'fast-check';
import pg from 'pg';
import { until } from '../helpers/until.js';
import { NAMES, type Links, type ModelWorld, type Name, type TableModel } from './model-world.js';
import type { Proxy } from './proxy.js';
import { terminateListeners } from './server-faults.js';

/** Long beside a step, so that several happen while a read is under way. */
const SLOW_MS = 10;

type Run = (model: TableModel, world: ModelWorld) => Promise<unknown>;

/** A step, with a name that says what it does. */
class Step implements fc.AsyncCommand<TableModel, ModelWorld> {
  constructor(
    private readonly name: string,
    private readonly isPossible: (model: Readonly<TableModel>) => boolean,
    private readonly act: Run,
  ) {}

  check(model: Readonly<TableModel>): boolean {
    return this.isPossible(model);
  }

  async run(model: TableModel, world: ModelWorld): Promise<void> {
    await this.act(model, world);
  }

  toString(): string {
    return this.name;
  }
}

const always = (): boolean => true;
const name = fc.constantFrom(...NAMES);
const exists =
  (hostname: Name) =>
  ({ vms }: Readonly<TableModel>): boolean =>
    vms.has(hostname);

/** A step about one hostname. */
const about = (
  what: string,
  act: (hostname: Name, ...run: Parameters<Run>) => Promise<unknown>,
  isPossible: (hostname: Name) => (model: Readonly<TableModel>) => boolean = exists,
): fc.Arbitrary<Step> =>
  name.map(
    (hostname) =>
      new Step(`${what}(${hostname})`, isPossible(hostname), (model, world) =>
        act(hostname, model, world),
      ),
  );

const step = (what: string, act: Run): fc.Arbitrary<Step> =>
  fc.constant(new Step(what, always, act));

const set = `UPDATE vms SET status = $2, email = $3::text, crd_command = $3::text WHERE hostname = $1`;

async function become(
  { vms }: TableModel,
  { database }: ModelWorld,
  hostname: Name,
  status: string,
  email: string | null,
): Promise<void> {
  await database.query(set, [hostname, status, email]);
  vms.set(hostname, { status, email });
}

const changes: fc.Arbitrary<Step>[] = [
  about(
    'insert',
    async (hostname, { vms }, { database }) => {
      await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [
        hostname,
      ]);
      vms.set(hostname, { status: 'available', email: null });
    },
    (hostname) => (model) => !exists(hostname)(model),
  ),
  fc
    .tuple(name, fc.constantFrom('ada', 'bob'))
    .map(
      ([hostname, person]) =>
        new Step(`assign(${hostname}, ${person})`, exists(hostname), (model, world) =>
          become(model, world, hostname, 'in-use', person),
        ),
    ),
  about('release', (hostname, model, world) => become(model, world, hostname, 'available', null)),
  about('fail', (hostname, model, world) => become(model, world, hostname, 'failed', null)),
  about('delete', async (hostname, { vms }, { database }) => {
    await database.query('DELETE FROM vms WHERE hostname = $1', [hostname]);
    vms.delete(hostname);
  }),
  fc.tuple(name, name).map(
    ([from, to]) =>
      new Step(
        `rename(${from}, ${to})`,
        ({ vms }) => vms.has(from) && !vms.has(to),
        async ({ vms }, { database }) => {
          await database.query('UPDATE vms SET hostname = $2 WHERE hostname = $1', [from, to]);
          const row = vms.get(from);
          if (row !== undefined) vms.set(to, row);
          vms.delete(from);
        },
      ),
  ),
  about('too large for a payload', (hostname, _, { database }) =>
    database.query(`UPDATE vms SET crd_command = repeat('x', 9000) WHERE hostname = $1`, [
      hostname,
    ]),
  ),
  step('everyone', async ({ vms }, { database }) => {
    await database.query(`UPDATE vms SET status = 'in-use', email = 'all', crd_command = 'all'`);
    for (const hostname of vms.keys()) vms.set(hostname, { status: 'in-use', email: 'all' });
  }),
  step('roll back', (_, { database }) =>
    database.query(`DO $$ BEGIN
      UPDATE vms SET status = 'failed'; DELETE FROM vms; RAISE 'no'; EXCEPTION WHEN OTHERS THEN NULL;
    END $$`),
  ),
];

/**
 * An INSERT takes its version, and waits for the DELETE of another transaction, which takes a
 * higher one.
 */
async function cross(hostname: Name, { vms }: TableModel, { database }: ModelWorld): Promise<void> {
  const [deleting, inserting] = [new pg.Client(database.config), new pg.Client(database.config)];
  await Promise.all([deleting.connect(), inserting.connect()]);
  const { rows } = await inserting.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await deleting.query('BEGIN');
  await deleting.query(`UPDATE vms SET status = 'failed' WHERE hostname = $1`, [hostname]);
  await deleting.query('DELETE FROM vms WHERE hostname = $1', [hostname]);
  const inserted = inserting.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [
    hostname,
  ]);
  await until('it waits', async () => {
    const waiting = await database.query('SELECT FROM pg_locks WHERE NOT granted AND pid = $1', [
      rows[0]?.pid,
    ]);
    return waiting.length > 0;
  });
  await deleting.query('COMMIT');
  await inserted;
  vms.set(hostname, { status: 'available', email: null });
  await Promise.all([deleting.end(), inserting.end()]);
}

/** The statements that give each trigger of `vms` the mode that it has now. */
const readTriggerModes = async ({ database }: ModelWorld): Promise<string> => {
  const rows = await database.query(`
    SELECT format('ALTER TABLE vms ENABLE %s TRIGGER %I;',
      CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, tgname) AS sql
    FROM pg_trigger WHERE tgrelid = 'vms'::regclass AND NOT tgisinternal`);
  return rows.map(({ sql }) => String(sql)).join(' ');
};

/** A statement that no trigger sees, in one transaction with what hides it. */
async function unseen(world: ModelWorld, sql: string): Promise<void> {
  const asBefore = await readTriggerModes(world);
  await world.database.query(`ALTER TABLE vms DISABLE TRIGGER USER; ${sql}; ${asBefore}`);
}

async function asReplica({ database }: ModelWorld, sql: string): Promise<void> {
  const admin = new pg.Client(database.adminConfig);
  await admin.connect();
  await admin.query(`SET session_replication_role = replica; ${sql}`);
  await admin.end();
}

const rareChanges: fc.Arbitrary<Step>[] = [
  about('cross', cross),
  about('delete unseen', async (hostname, { vms }, world) => {
    await unseen(world, `DELETE FROM vms WHERE hostname = '${hostname}'`);
    vms.delete(hostname);
  }),
  about('fail unseen', async (hostname, { vms }, world) => {
    await unseen(
      world,
      `UPDATE vms SET status = 'failed', email = NULL WHERE hostname = '${hostname}'`,
    );
    vms.set(hostname, { status: 'failed', email: null });
  }),
  about('assign as a replica', async (hostname, { vms }, world) => {
    await asReplica(
      world,
      `UPDATE vms SET status = 'in-use', email = 'eve' WHERE hostname = '${hostname}'`,
    );
    vms.set(hostname, { status: 'in-use', email: 'eve' });
  }),
  fc.constantFrom('', ' RESTART IDENTITY').map(
    (how) =>
      new Step(`truncate${how}`, always, async ({ vms }, { database }) => {
        await database.query(`TRUNCATE vms${how}`);
        vms.clear();
      }),
  ),
  step('set versions back', async (model, { database }) => {
    await database.query(`SELECT setval('vms_version_seq', 1)`);
    model.wentBack = true;
  }),
  fc
    .constantFrom(
      '',
      'x',
      '{}',
      '{"op":"read"}',
      '{"op":"read","hostname":"a"}',
      '{"hostname":"b"}',
    )
    .map(
      (payload) =>
        new Step(`anyone notifies ${payload}`, always, (_, { database }) =>
          database.query(`SELECT pg_notify('vm_updates', $1), pg_notify('vm_changes', $1)`, [
            payload,
          ]),
        ),
    ),
];

/** A step that spoils the way of queries, of LISTEN, or both. */
const spoil = (what: string, act: (link: Proxy) => unknown): fc.Arbitrary<Step> =>
  fc.constantFrom<(keyof Links)[]>(['queries'], ['listen'], ['queries', 'listen']).map(
    (ways) =>
      new Step(`${what} ${ways.join(' and ')}`, always, async (_, { links }) => {
        for (const way of ways) await act(links[way]);
      }),
  );

const faults: fc.Arbitrary<Step>[] = [
  step('end the LISTEN session', (_, { database }) => terminateListeners(database)),
  spoil('cut', (link) => link.cut()),
  spoil('reset', (link) => link.reset()),
  spoil('hang', (link) => link.hang()),
  spoil('refuse', async (link) => {
    await link.heal();
    await link.refuse();
  }),
  spoil('slow', (link) => link.delay(SLOW_MS)),
  spoil('heal', (link) => link.heal()),
  step('replace the gateway', (_, world) => world.replaceGateway()),
];

const client = fc.nat({ max: NAMES.length + 1 });
const clients: fc.Arbitrary<Step>[] = [
  client.map(
    (n) =>
      new Step(`cut client ${n} off`, always, async (_, world) => world.client(n)?.ws.terminate()),
  ),
  client.map(
    (n) =>
      new Step(`client ${n} reads nothing`, always, async (_, world) =>
        world.client(n)?.ws.pause(),
      ),
  ),
  client.map(
    (n) =>
      new Step(`client ${n} reads on`, always, async (_, world) => world.client(n)?.ws.resume()),
  ),
];

const settle: fc.Arbitrary<Step> = step('settle', (model, world) => world.settle(model));

/** Every kind of step, the usual ones more often. */
export const STEPS: fc.Arbitrary<Step>[] = [
  ...[...changes, ...changes, ...changes],
  ...rareChanges,
  ...faults,
  ...clients,
  settle,
];
