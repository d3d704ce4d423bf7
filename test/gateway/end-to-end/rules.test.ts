// Rules of others on `vms`: constraints and triggers. A change that they reject is answered with a
// stable code that names the rule, and everything else goes on.

import t, { type Test } from 'tap';
import { migrate } from '../../../src/postgres/migrations/migrate.js';
import { createApi } from '../../helpers/api.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';

const server = await startServer(t);

const RAISE = (name: string, raise: string): string => `
  CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${raise} RETURN NEW; END $$;
  CREATE TRIGGER ${name} BEFORE INSERT OR UPDATE ON vms FOR EACH ROW EXECUTE FUNCTION ${name}()`;

async function start(t: Test, ...statements: string[]) {
  const database = await server.createDatabase();
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  for (const statement of statements) await database.query(statement);
  const gateway = await startGateway(t, database);
  return { database, gateway, api: await createApi(gateway) };
}

interface Rule {
  readonly name: string;
  readonly rule: string;
  readonly request: readonly [method: string, path: string, body?: object];
  readonly answer: { readonly status: number; readonly json: object };
}

const ASSIGN = ['POST', '/v1/assignments', { email: 'ada@x.y', crd_command: 'secret' }] as const;
const rejected = (names: object) => ({
  status: 422,
  json: { code: 'rejected_by_database', ...names },
});
const conflict = (names: object) => ({
  status: 409,
  json: { code: 'constraint_conflict', ...names },
});

const RULES: readonly Rule[] = [
  {
    name: 'CHECK',
    rule: `ALTER TABLE vms ADD CONSTRAINT only_ours CHECK (email LIKE '%@ours.org')`,
    request: ASSIGN,
    answer: rejected({ constraint: 'only_ours' }),
  },
  {
    name: 'NOT NULL',
    rule: `ALTER TABLE vms ADD zone text DEFAULT 'x'; ALTER TABLE vms ALTER zone SET NOT NULL, ALTER zone DROP DEFAULT`,
    request: ['PUT', '/v1/vms/vm-2'],
    answer: rejected({ column: 'zone' }),
  },
  {
    name: 'a domain',
    rule: `CREATE DOMAIN address AS text CONSTRAINT has_at CHECK (value LIKE '%@ours.org');
      ALTER TABLE vms ALTER email TYPE address`,
    request: ASSIGN,
    answer: rejected({ constraint: 'has_at' }),
  },
  {
    name: 'FOREIGN KEY of vms',
    rule: `CREATE TABLE people (email varchar PRIMARY KEY);
      ALTER TABLE vms ADD CONSTRAINT known_person FOREIGN KEY (email) REFERENCES people`,
    request: ASSIGN,
    answer: conflict({ constraint: 'known_person' }),
  },
  {
    name: 'FOREIGN KEY to vms',
    rule: `CREATE TABLE bookings (vm int CONSTRAINT booked REFERENCES vms);
      INSERT INTO bookings SELECT id FROM vms`,
    request: ['DELETE', '/v1/vms/vm-1'],
    answer: conflict({ constraint: 'booked', table: 'bookings' }),
  },
  {
    name: 'FOREIGN KEY to vms, when all are deleted',
    rule: `CREATE TABLE bookings (vm int CONSTRAINT booked REFERENCES vms ON DELETE RESTRICT);
      INSERT INTO bookings SELECT id FROM vms`,
    request: ['DELETE', '/v1/vms?confirm=1'],
    answer: conflict({ constraint: 'booked' }),
  },
  {
    name: 'UNIQUE',
    rule: `INSERT INTO vms (hostname, status, crd_command) VALUES ('vm-0', 'in-use', 'secret');
      CREATE UNIQUE INDEX one_command ON vms (crd_command)`,
    request: ASSIGN,
    answer: conflict({ constraint: 'one_command' }),
  },
  {
    name: 'a sequence that was set back',
    rule: `SELECT setval('vms_id_seq', 1, false)`,
    request: ['PUT', '/v1/vms/vm-2'],
    answer: conflict({ constraint: 'vms_pkey' }),
  },
  {
    name: 'EXCLUDE',
    rule: `INSERT INTO vms (hostname, status, crd_command) VALUES ('vm-0', 'in-use', 'secret');
      ALTER TABLE vms ADD CONSTRAINT no_twins EXCLUDE (crd_command WITH =)`,
    request: ASSIGN,
    answer: conflict({ constraint: 'no_twins' }),
  },
  {
    name: 'RAISE',
    rule: RAISE('no_more', `RAISE EXCEPTION 'not %', NEW.crd_command;`),
    request: ASSIGN,
    answer: rejected({ function: 'no_more' }),
  },
  {
    name: "RAISE under another error's code",
    rule: RAISE('no_more', `RAISE EXCEPTION 'not %', NEW.crd_command USING ERRCODE = '08006';`),
    request: ASSIGN,
    answer: rejected({ function: 'no_more' }),
  },
  {
    name: 'a trigger that is broken',
    rule: RAISE('broken', `PERFORM 1 FROM table_that_is_gone;`),
    request: ['PATCH', '/v1/vms/vm-1', { status: 'failed' }],
    answer: rejected({ function: 'broken' }),
  },
  {
    name: 'a trigger that drops the change',
    rule: RAISE('drops', 'RETURN NULL;'),
    request: ['PATCH', '/v1/vms/vm-1', { status: 'failed' }],
    answer: rejected({}),
  },
  {
    name: 'a trigger that drops the row',
    rule: RAISE('drops', 'RETURN NULL;'),
    request: ['PUT', '/v1/vms/vm-2'],
    answer: rejected({}),
  },
  {
    name: 'a trigger that drops the deletion',
    rule: `CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
      CREATE TRIGGER keep BEFORE DELETE ON vms FOR EACH ROW EXECUTE FUNCTION keep()`,
    request: ['DELETE', '/v1/vms/vm-1'],
    answer: rejected({}),
  },
];

for (const { name, rule, request, answer } of RULES) {
  t.test(`${name} is answered with ${answer.status}`, async (t) => {
    const { database, api, gateway } = await start(t, rule);
    const before = await database.query('SELECT * FROM vms ORDER BY id');
    const got = await api(...request);
    t.match(got, answer);
    t.notMatch(got.text, 'secret', 'no value is quoted');
    t.same(await database.query('SELECT * FROM vms ORDER BY id'), before, 'nothing was changed');
    t.equal((await gateway.fetch('/health/ready')).status, 200);
  });
}

t.test('a trigger that changes the hostname is answered, each time and at once', async (t) => {
  const { database, api } = await start(
    t,
    RAISE('lower_case', 'NEW.hostname := lower(NEW.hostname);'),
  );
  for (let attempt = 0; attempt < 2; attempt++)
    t.match(await api('PUT', '/v1/vms/VM-9'), rejected({ detail: /another hostname/ }));
  const enrol = await api('POST', '/v1/enrolments', { hostname: 'VM-9' });
  t.match(enrol, rejected({ detail: /another hostname/ }));
  t.equal((await api('PUT', '/v1/vms/vm-9')).status, 201);
  const similar = { status: 409, json: { code: 'similar_hostname' } };
  t.match(await api('PUT', '/v1/vms/VM-9'), similar);
  const hostnames = await database.query('SELECT hostname FROM vms ORDER BY hostname');
  t.same(hostnames, [{ hostname: 'vm-1' }, { hostname: 'vm-9' }]);
  t.match(await api('POST', '/v1/enrolments', { hostname: 'VM-9' }), similar);
});

t.test('a report of an agent that a rule rejects is answered, and not repeated', async (t) => {
  const { gateway } = await start(
    t,
    `ALTER TABLE vms ADD CONSTRAINT never_failed CHECK (status <> 'failed')`,
  );
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  await agent.nextMessage('status');
  agent.send({ type: 'status', status: 'failed' });
  t.match(await agent.nextMessage('error'), { code: 'not_allowed', message: /never_failed/ });
});

t.test('the row of a table that inherits from vms is assigned to no person', async (t) => {
  const { database, api } = await start(
    t,
    'CREATE TABLE child () INHERITS (vms)',
    `INSERT INTO child (id, hostname, status, updated_at) SELECT id, 'spare', 'available', '-infinity' FROM vms`,
  );
  const assigned = await api('POST', '/v1/assignments', { email: 'ada@x.y', crd_command: 'a' });
  t.match(assigned, { status: 201, json: { hostname: 'vm-1' } });
  t.match(await api('POST', '/v1/assignments', { email: 'bob@x.y' }), { status: 409 });
  const kept = await api('POST', '/v1/assignments', { email: 'ada@x.y', crd_command: 'b' });
  t.match(kept, { status: 200, json: { hostname: 'vm-1' } });
  t.match(await api('PATCH', '/v1/vms/vm-1', { status: 'failed' }), { status: 200 });
  t.match(
    await database.query('SELECT hostname, status, email FROM child'),
    [{ hostname: 'spare', status: 'available', email: null }],
    'the row with the same id is as it was',
  );
  t.match(await api('DELETE', '/v1/vms/vm-1'), { status: 204 });
  t.match(await database.query('SELECT hostname FROM vms'), [{ hostname: 'spare' }]);
});

t.test('the row of a partition is assigned', async (t) => {
  const database = await server.createDatabase({ migrate: false });
  await database.query(`CREATE TABLE vms (id serial, hostname varchar(255) NOT NULL UNIQUE, email varchar(255),
    status varchar(50) NOT NULL, crd_command text, created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now())
    PARTITION BY HASH (hostname)`);
  await database.query(
    'CREATE TABLE vms_0 PARTITION OF vms FOR VALUES WITH (MODULUS 1, REMAINDER 0)',
  );
  await migrate(database.config, { mode: 'apply' });
  const gateway = await startGateway(t, database);
  const api = await createApi(gateway);
  t.match(await api('PUT', '/v1/vms/vm-1'), { status: 201 });
  const body = { email: 'ada@x.y', crd_command: 'a' };
  t.match(await api('POST', '/v1/assignments', body), { status: 201, json: { hostname: 'vm-1' } });
  const changed = { ...body, crd_command: 'b' };
  t.match(await api('POST', '/v1/assignments', changed), {
    status: 200,
    json: { crd_command: 'b' },
  });
  t.match(await api('PATCH', '/v1/vms/vm-1', { status: 'failed' }), { status: 200 });
  t.match(await api('DELETE', '/v1/vms/vm-1'), { status: 204 });
});
