// The rights of each role to read, write, forge, execute and attach: after a fresh installation,
// after an upgrade, and in a copy that was restored or moved. No role gets the rights of the owner
// of vms by a function of ours.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { moveDatabase } from '../../src/postgres/admin/move.js';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import type { TestDatabase } from '../helpers/database.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';

const run = promisify(execFile);

const ROLES = ['stranger', 'writer', 'reader', 'gateway', 'owner', 'superuser'] as const;
type Role = (typeof ROLES)[number];

const ATTACHED = `
  CREATE TEMP TABLE mine (hostname text, status text, version bigint, assignment_id uuid, updated_at timestamp);
  CREATE TRIGGER t BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION public.`;

/** Attempts, and the roles that succeed. */
const ATTEMPTS: readonly [attempt: string, roles: readonly Role[]][] = [
  ['SELECT * FROM vms', ['reader', 'gateway', 'owner', 'superuser']],
  ['SELECT * FROM read_vms(NULL)', ['reader', 'gateway', 'owner', 'superuser']],
  ['SELECT * FROM read_vm_presence(NULL)', ['gateway', 'owner', 'superuser']],
  [`UPDATE vms SET status = 'in-use', email = 'x'`, ['writer', 'gateway', 'owner', 'superuser']],
  ['DELETE FROM vms', ['gateway', 'owner', 'superuser']],
  ['SELECT * FROM vm_events', ['gateway', 'owner', 'superuser']],
  [`INSERT INTO vm_events (op) VALUES ('update')`, ['owner', 'superuser']],
  ['DELETE FROM vm_events', ['owner', 'superuser']],
  [`SELECT prune_vm_events('1 day')`, ['owner', 'superuser']],
  [`SELECT prune_vm_deliveries('1 day')`, ['gateway', 'owner', 'superuser']],
  [
    `INSERT INTO vm_deliveries (assignment_id, hostname) VALUES (gen_random_uuid(), 'a')`,
    ['gateway', 'owner', 'superuser'],
  ],
  ['SELECT key FROM vm_keys', ['gateway', 'owner', 'superuser']],
  ['SELECT inner_pad FROM vm_keys', ['owner', 'superuser']],
  ['SELECT * FROM vm_token_revocations', ['gateway', 'owner', 'superuser']],
  [
    `INSERT INTO vm_token_revocations (kind, value, expires_at) VALUES ('sub', 'a', now())`,
    ['gateway', 'owner', 'superuser'],
  ],
  ['DELETE FROM vm_token_revocations', ['gateway', 'owner', 'superuser']],
  ['SELECT * FROM vm_sign_in_codes', ['gateway', 'owner', 'superuser']],
  ['DELETE FROM vm_sign_in_codes', ['gateway', 'owner', 'superuser']],
  [`UPDATE vm_keys SET key = key`, ['owner', 'superuser']],
  [`SELECT make_vm_assignment_id('vm', 'a', 'b', 1)`, ['owner', 'superuser']],
  [`SELECT vm_stamp('UPDATE', NULL, NULL)`, ['owner', 'superuser']],
  [`SELECT record_vm_row('DELETE', NULL, NULL)`, ['owner', 'superuser']],
  [`SELECT notify_vm_row('DELETE', NULL, NULL)`, ['owner', 'superuser']],
  [`SELECT setval('vms_version_seq', 1000)`, ['owner', 'superuser']],
  ['SET session_replication_role = replica', ['superuser']],
  ['ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger', ['owner', 'superuser']],
  ...[
    ...['stamp_vm', 'send_vm_changes', 'record_vm_event', 'record_vm_truncation'],
    ...['notify_vm_changes', 'notify_vm_removed'],
  ].map((name): [string, readonly Role[]] => [`${ATTACHED}${name}()`, ['owner', 'superuser']]),
];

onEveryServer(async (t, { createDatabase, majorVersion, binDir }) => {
  const nameOf = (role: Role) => `${role}_${majorVersion}`;

  async function createRoles(database: TestDatabase, admin: Session): Promise<void> {
    const readme = await readFile(new URL('../../schema/README.md', import.meta.url), 'utf8');
    const grants = /```sql\n(GRANT[^`]*)```/.exec(readme)?.[1] ?? '';
    for (const role of ['stranger', 'writer', 'reader', 'gateway'] as const) {
      await admin.query(`
        DO $$ BEGIN CREATE ROLE ${nameOf(role)}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT CONNECT, TEMPORARY ON DATABASE ${database.config.database} TO ${nameOf(role)}`);
    }
    await admin.query(`
      GRANT UPDATE (status, email) ON vms TO ${nameOf('writer')};
      GRANT SELECT ON vms TO ${nameOf('reader')};
      ${grants.replaceAll('TO gateway', `TO ${nameOf('gateway')}`)}`);
  }

  /** Each attempt by each role, undone. */
  async function matrix(database: TestDatabase): Promise<Record<string, Role[]>> {
    const admin = await openSession(t, database.adminConfig);
    await createRoles(database, admin);
    const can: Record<string, Role[]> = {};
    for (const role of ROLES) {
      const connection = role === 'owner' ? database.config : database.adminConfig;
      const session = await openSession(t, connection);
      if (role !== 'owner' && role !== 'superuser') {
        await session.query(`SET SESSION AUTHORIZATION ${nameOf(role)}`);
      }
      for (const [attempt] of ATTEMPTS) {
        await session.query('BEGIN');
        const error = await session.query(attempt).then(
          () => undefined,
          (error: unknown) => error as { code: string },
        );
        await session.query('ROLLBACK');
        const roles = (can[attempt] ??= []);
        if (error === undefined) roles.push(role);
        else if (error.code !== '42501') t.fail(`${role}: ${attempt}: ${error.code}`);
      }
    }
    return can;
  }

  const expected = Object.fromEntries(ATTEMPTS);

  t.test('after a fresh installation', async (t) => {
    const can = await matrix(await createDatabase());
    t.comment(`PostgreSQL ${majorVersion}\n${formatMatrix(can)}`);
    t.same(can, expected);
  });

  t.test('where default privileges withhold and hand out rights', async (t) => {
    const database = await createDatabase({ migrate: false });
    const admin = await openSession(t, database.adminConfig);
    const owner = await openSession(t, database.config);
    await admin.query(`CREATE ROLE favoured_${majorVersion}`);
    await owner.query(`
      ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
      ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO favoured_${majorVersion};
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO favoured_${majorVersion}`);
    await migrate(database.config, { mode: 'apply' });
    t.same(await matrix(database), expected);
    await admin.query(`SET ROLE favoured_${majorVersion}`);
    await t.rejects(admin.query('SELECT * FROM vm_keys'), { code: '42501' });
    await t.rejects(admin.query(`SELECT make_vm_assignment_id('a', 'b', 'c', 1)`), {
      code: '42501',
    });
  });

  t.test('after an upgrade from the eleventh migration', async (t) => {
    const database = await createDatabase({ migrate: false });
    const schema = new URL('../../schema/', import.meta.url);
    const files: Record<string, string> = {};
    for (const name of (await readdir(schema)).filter((name) => /^0000(0\d|1[01])_/.test(name))) {
      files[name] = await readFile(new URL(name, schema), 'utf8');
    }
    await migrate(database.config, { mode: 'apply', folder: t.testdir(files) });
    t.equal(
      (await migrate(database.config, { mode: 'apply' })).applied[0],
      '000012_assignment_keys',
    );
    t.same(await matrix(database), expected);
  });

  const [pgDump, psql] = [join(binDir, 'pg_dump'), join(binDir, 'psql')];
  const skip = !(existsSync(pgDump) && existsSync(psql)) && 'this server has no pg_dump and psql';
  t.test('after a restore', { skip }, async (t) => {
    const at = ({ config: { host, port, user, database } }: TestDatabase) => [
      ...['-h', String(host), '-p', String(port), '-U', String(user), '-d', String(database)],
    ];
    const { stdout } = await run(pgDump, at(await createDatabase()), { maxBuffer: 1e8 });
    const target = await createDatabase({ migrate: false });
    const restoring = run(psql, [...at(target), '-X', '-q', '-v', 'ON_ERROR_STOP=1']);
    restoring.child.stdin?.end(stdout);
    await restoring;
    t.same(await matrix(target), expected);
  });

  t.test('after a move', { skip }, async (t) => {
    const [source, target] = [await createDatabase(), await createDatabase({ migrate: false })];
    await createRoles(source, await openSession(t, source.adminConfig));
    await moveDatabase({
      ...{ connection: source.config, target: target.config, dryRun: false },
      environment: { PATH: binDir },
      signal: new AbortController().signal,
    });
    t.same(await matrix(target), expected);
  });

  t.test(
    'a type of a stranger is not evaluated by a function that fires for another table',
    async (t) => {
      const database = await createDatabase();
      const admin = await openSession(t, database.adminConfig);
      await createRoles(database, admin);
      // As before the rights were withdrawn: the triggers were attached then, and stay.
      await admin.query('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC');
      await admin.query(`SET SESSION AUTHORIZATION ${nameOf('stranger')}`);
      await admin.query(`
      CREATE TYPE pg_temp.evil AS (a int);
      CREATE FUNCTION pg_temp.e(pg_temp.evil) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        IF current_user <> session_user THEN PERFORM pg_advisory_lock(4711); END IF; RETURN 'x'; END $$;
      CREATE FUNCTION pg_temp.j(pg_temp.evil) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
        IF current_user <> session_user THEN PERFORM pg_advisory_lock(4711); END IF; RETURN '1'; END $$;
      CREATE CAST (pg_temp.evil AS json) WITH FUNCTION pg_temp.j(pg_temp.evil);
      CREATE CAST (pg_temp.evil AS text) WITH FUNCTION pg_temp.e(pg_temp.evil) AS ASSIGNMENT;
      CREATE TEMP TABLE vms (hostname text, status pg_temp.evil, email pg_temp.evil, crd_command pg_temp.evil,
        version bigint, assignment_id uuid, updated_at timestamp)`);
      for (const [timing, name, referencing] of [
        ['BEFORE INSERT OR UPDATE', 'stamp_vm', ''],
        ['AFTER INSERT OR UPDATE OR DELETE', 'record_vm_event', ''],
        ['AFTER INSERT OR UPDATE', 'notify_vm_changes', ''],
        ['AFTER DELETE', 'notify_vm_removed', ''],
        ['AFTER INSERT', 'send_vm_changes', 'REFERENCING NEW TABLE AS new_vms'],
        [
          'AFTER UPDATE',
          'send_vm_changes',
          'REFERENCING OLD TABLE AS old_vms NEW TABLE AS new_vms',
        ],
      ] as const) {
        await admin.query(`
        CREATE TRIGGER attack ${timing} ON pg_temp.vms ${referencing}
        FOR EACH ${referencing === '' ? 'ROW' : 'STATEMENT'} EXECUTE FUNCTION public.${name}()`);
        await admin.query(`
        INSERT INTO pg_temp.vms VALUES ('a', ROW(1)::pg_temp.evil, ROW(1)::pg_temp.evil, NULL, 1, NULL, now());
        UPDATE pg_temp.vms SET status = ROW(2)::pg_temp.evil, version = 2;
        DELETE FROM pg_temp.vms; DROP TRIGGER attack ON pg_temp.vms`);
      }
      await admin.query('RESET SESSION AUTHORIZATION');
      // A lock of the session, which no rollback releases.
      t.equal(await admin.value('SELECT count(*) FROM pg_locks WHERE objid = 4711'), '0');
      t.equal(await admin.value('SELECT count(*) FROM vm_events'), '0');
      t.equal(await admin.value('SELECT count(*) FROM vm_deliveries'), '0');
    },
  );

  t.test(
    'a search_path of the writer’s own brings no code of the writer into a trigger',
    async (t) => {
      const database = await createDatabase();
      const admin = await openSession(t, database.adminConfig);
      await createRoles(database, admin);
      await admin.query(
        `INSERT INTO vms (hostname, status) VALUES ('a', 'available'), ('b', 'available')`,
      );
      const writer = nameOf('writer');
      await admin.query(`GRANT CREATE ON DATABASE ${database.config.database} TO ${writer}`);
      const session = await openSession(t, database.adminConfig);
      await session.query(`SET SESSION AUTHORIZATION ${writer}`);
      await session.query(`CREATE SCHEMA trap_${majorVersion}`);
      await session.query(`SET search_path = trap_${majorVersion}, pg_temp, pg_catalog, public`);
      await session.query(trap(`trap_${majorVersion}`));
      for (const set of [
        `status = 'in-use', email = 'x'`,
        `email = 'y'`,
        `status = 'available'`,
        `email = NULL`,
      ]) {
        await session.query(`UPDATE public.vms SET ${set} WHERE true`);
      }
      t.equal(
        await admin.value(
          `SELECT count(*) FROM vm_events WHERE op = 'update' AND database_user = $1`,
          [writer],
        ),
        '8',
      );
      t.equal(await admin.value(`SELECT count(*) FROM trap_${majorVersion}.sprung`), '0');
    },
  );
});

/** What a right is about, by the attempt; the first that matches. */
const KINDS: readonly (readonly [kind: string, attempt: RegExp])[] = [
  ['execute', /^SELECT \w+\(|CREATE TRIGGER|^ALTER|^SET/],
  ['read', /^SELECT/],
  ['forge', /INTO|UPDATE vm_keys|DELETE FROM vm_events/],
  ['write', /^(UPDATE|DELETE)/],
];

const findKind = (attempt: string): string =>
  KINDS.find(([, pattern]) => pattern.test(attempt))?.[0] ?? 'other';

/** The table of attempts and roles, for the log of a run. */
function formatMatrix(can: Readonly<Record<string, readonly Role[]>>): string {
  const lines = Object.entries(can).map(([attempt, roles]) => {
    const text = attempt.trim().split('\n').at(-1)?.trim().slice(0, 60) ?? '';
    const cells = ROLES.map((role) => (roles.includes(role) ? 'yes' : '-').padEnd(role.length));
    return `${findKind(attempt).padEnd(7)} ${text.padEnd(60)} ${cells.join(' ')}`;
  });
  return [`${''.padEnd(68)} ${ROLES.join(' ')}`, ...lines.sort()].join('\n');
}

t.test(
  'the attempts read, write, forge and execute, and each role is refused something',
  async (t) => {
    const kinds = new Set(ATTEMPTS.map(([attempt]) => findKind(attempt)));
    t.same([...kinds].sort(), ['execute', 'forge', 'read', 'write']);
    for (const kind of kinds) {
      const roles = ATTEMPTS.filter(([attempt]) => findKind(attempt) === kind).map(
        ([, can]) => can,
      );
      t.notOk(roles.flat().includes('stranger'), `a stranger may ${kind} nothing`);
      t.ok(
        roles.every((can) => can.includes('superuser')),
        kind,
      );
    }
  },
);

/**
 * Operators, functions, types and tables under the names of PostgreSQL's own, which leave a trace
 * where they run.
 */
function trap(schema: string): string {
  const types = ['text', 'bigint', 'name', 'boolean', 'uuid', 'bytea', 'integer', 'oid', 'varchar'];
  const operators = types.flatMap((type) =>
    ['=', '<>', '<', '>', '||', '+', '&'].map((operator) => {
      const result = ['||', '+', '&'].includes(operator) ? type : 'boolean';
      const name = `op_${types.indexOf(type)}_${['=', '<>', '<', '>', '||', '+', '&'].indexOf(operator)}`;
      return `
        CREATE FUNCTION ${schema}.${name}(pg_catalog.${bare(type)}, pg_catalog.${bare(type)})
        RETURNS pg_catalog.${bare(result)} LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO ${schema}.sprung VALUES ('${type} ${operator}'); RETURN NULL; END $$;
        CREATE OPERATOR ${schema}.${operator} (FUNCTION = ${schema}.${name},
          LEFTARG = pg_catalog.${bare(type)}, RIGHTARG = pg_catalog.${bare(type)});`;
    }),
  );
  const functions = [
    'now()',
    'gen_random_uuid()',
    'nextval(text)',
    'length(text)',
    'count(int)',
  ].map(
    (signature) => `
      CREATE FUNCTION ${schema}.${signature} RETURNS pg_catalog.text LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO ${schema}.sprung VALUES ('${signature}'); RETURN NULL; END $$;`,
  );
  return `
    CREATE TABLE ${schema}.sprung (what pg_catalog.text);
    GRANT ALL ON ${schema}.sprung TO PUBLIC; GRANT USAGE ON SCHEMA ${schema} TO PUBLIC;
    ${operators.join('')}${functions.join('')}
    CREATE FUNCTION ${schema}.spring(pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO ${schema}.sprung VALUES ('a type'); RETURN true; END $$;
    ${['text', 'uuid', 'bytea', 'jsonb', 'record', 'oid', 'regclass']
      .map(
        (type) =>
          `CREATE DOMAIN ${schema}.${type} AS pg_catalog.text CHECK (${schema}.spring(VALUE));`,
      )
      .join('')}
    CREATE TABLE ${schema}.pg_attribute (attrelid pg_catalog.oid);
    CREATE TABLE ${schema}.vm_keys (inner_pad pg_catalog.bytea, outer_pad pg_catalog.bytea);
    CREATE TABLE ${schema}.new_vms (); CREATE TABLE ${schema}.old_vms ()`;
}

const bare = (type: string): string =>
  ({ bigint: 'int8', boolean: 'bool', integer: 'int4' })[type] ?? type;
