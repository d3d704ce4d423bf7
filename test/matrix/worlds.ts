// The worlds of the matrix: settings of a role and of a database, and shapes of the table, each as
// statements that make it and statements that mend it. Pure.

/** A database as others have shaped it. */
export interface World {
  readonly name: string;
  /** Statements of a superuser in the database. */
  readonly spoil: string;
  readonly mend: string;
  /** The first major version that knows the setting. */
  readonly since?: number;
}

/** Each is set for the role and for the database. */
const SETTINGS: Readonly<Record<string, string>> = {
  search_path: `'"$user"'`,
  DateStyle: `'German'`,
  IntervalStyle: `'sql_standard'`,
  TimeZone: `'Asia/Kathmandu'`,
  bytea_output: `'escape'`,
  extra_float_digits: '-15',
  standard_conforming_strings: 'off',
  quote_all_identifiers: 'on',
  default_transaction_isolation: `'serializable'`,
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  row_security: 'off',
  statement_timeout: '1',
  lock_timeout: '1',
  idle_in_transaction_session_timeout: '1',
  idle_session_timeout: '100',
  client_encoding: `'LATIN1'`,
  lc_messages: `'C'`,
  xmloption: `'document'`,
  session_replication_role: `'replica'`,
  default_tablespace: `'pg_global'`,
  temp_tablespaces: `''`,
  default_table_access_method: `'heap'`,
  synchronous_commit: 'off',
  enable_seqscan: 'off',
  enable_indexscan: 'off',
  enable_hashjoin: 'off',
  enable_nestloop: 'off',
  'plpgsql.variable_conflict': `'use_column'`,
  'plpgsql.extra_errors': `'all'`,
  check_function_bodies: 'off',
  array_nulls: 'off',
  transform_null_equals: 'on',
  escape_string_warning: 'off',
  work_mem: `'64kB'`,
  max_parallel_workers_per_gather: '0',
  jit_above_cost: '0',
  plan_cache_mode: `'force_generic_plan'`,
  log_statement: `'all'`,
  log_min_duration_statement: '0',
};

const { raw } = String;

const OTHERS: readonly World[] = [
  {
    name: 'transaction_timeout',
    since: 17,
    spoil: raw`ALTER ROLE lablink SET transaction_timeout = 1; ALTER DATABASE :db SET transaction_timeout = 1`,
    mend: raw`ALTER ROLE lablink RESET transaction_timeout; ALTER DATABASE :db RESET transaction_timeout`,
  },
  {
    name: 'role',
    spoil: raw`CREATE ROLE stranger; GRANT stranger TO lablink; ALTER ROLE lablink IN DATABASE :db SET role = 'stranger'`,
    mend: raw`ALTER ROLE lablink IN DATABASE :db RESET role; DROP ROLE stranger`,
  },
  {
    name: 'event triggers',
    spoil: raw`CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE 'no changes of the schema'; END $$;
      CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION public.refuse()`,
    mend: raw`DROP EVENT TRIGGER refuse; DROP FUNCTION public.refuse()`,
  },
  {
    name: 'CONNECTION LIMIT 4',
    spoil: 'ALTER ROLE lablink CONNECTION LIMIT 4',
    mend: 'ALTER ROLE lablink CONNECTION LIMIT -1',
  },
];

const SHAPES: readonly World[] = [
  {
    name: 'a generated column',
    spoil: 'ALTER TABLE public.vms ADD label text GENERATED ALWAYS AS (upper(hostname)) STORED',
    mend: 'ALTER TABLE public.vms DROP label',
  },
  {
    name: 'id GENERATED ALWAYS AS IDENTITY',
    spoil: raw`ALTER TABLE public.vms ALTER id DROP DEFAULT;
      ALTER TABLE public.vms ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 1000)`,
    mend: '',
  },
  {
    name: 'partitioned',
    spoil: raw`DO $do$
      DECLARE triggers text[] := ARRAY(
        SELECT pg_get_triggerdef(oid) || ';' || format('ALTER TABLE public.vms ENABLE %s TRIGGER %I',
          CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, tgname)
        FROM pg_trigger WHERE tgrelid = 'public.vms'::regclass AND NOT tgisinternal);
      trigger text;
      BEGIN
        SET LOCAL ROLE lablink;
        ALTER TABLE public.vms RENAME TO whole;
        ALTER TABLE public.whole DISABLE TRIGGER USER;
        CREATE TABLE public.vms (LIKE public.whole INCLUDING DEFAULTS) PARTITION BY LIST (hostname);
        CREATE TABLE public.first_vms PARTITION OF public.vms FOR VALUES IN ('vm-1');
        CREATE TABLE public.other_vms PARTITION OF public.vms DEFAULT;
        INSERT INTO public.vms SELECT * FROM public.whole;
        FOREACH trigger IN ARRAY triggers LOOP EXECUTE trigger; END LOOP;
      END $do$`,
    mend: raw`DROP TABLE public.vms; ALTER TABLE public.whole RENAME TO vms;
      ALTER TABLE public.vms ENABLE TRIGGER USER; ALTER TABLE public.vms
        ENABLE ALWAYS TRIGGER vm_stamp_trigger, ENABLE ALWAYS TRIGGER vm_truncate_trigger,
        ENABLE ALWAYS TRIGGER vm_audit_truncate_trigger, ENABLE REPLICA TRIGGER vm_update_trigger,
        ENABLE REPLICA TRIGGER vm_delete_trigger, ENABLE REPLICA TRIGGER vm_audit_trigger`,
  },
  {
    name: 'a child by INHERITS',
    spoil: raw`CREATE TABLE public.child_vms () INHERITS (public.vms);
      ALTER TABLE public.child_vms OWNER TO lablink;
      INSERT INTO public.child_vms (hostname, status) VALUES ('child', 'available')`,
    mend: 'DROP TABLE public.child_vms',
  },
  {
    name: 'email renamed',
    spoil: 'ALTER TABLE public.vms RENAME email TO person',
    mend: 'ALTER TABLE public.vms RENAME person TO email',
  },
  {
    name: 'status is an enum',
    spoil: raw`CREATE TYPE public.state AS ENUM ('available', 'in-use', 'failed');
      ALTER TABLE public.vms ALTER status TYPE public.state USING status::public.state`,
    mend: 'ALTER TABLE public.vms ALTER status TYPE varchar(255)',
  },
  {
    name: 'email and hostname are domains',
    spoil: raw`CREATE DOMAIN public.mail AS varchar(255) CHECK (VALUE LIKE '%@%');
      CREATE DOMAIN public.host AS varchar(255) CHECK (VALUE <> '');
      ALTER TABLE public.vms ALTER email TYPE public.mail, ALTER hostname TYPE public.host`,
    mend: 'ALTER TABLE public.vms ALTER email TYPE varchar(255), ALTER hostname TYPE varchar(255)',
  },
  {
    name: 'a view in place of vms',
    spoil: raw`ALTER TABLE public.vms RENAME TO base_vms;
      CREATE VIEW public.vms AS SELECT * FROM public.base_vms; ALTER VIEW public.vms OWNER TO lablink`,
    mend: 'DROP VIEW public.vms; ALTER TABLE public.base_vms RENAME TO vms',
  },
  {
    name: 'columns of json, xml and a composite type',
    spoil: raw`CREATE TYPE public.pair AS (a int, b text);
      ALTER TABLE public.vms ADD more json DEFAULT '{"a": [1, null]}', ADD words xml DEFAULT '<a/>',
        ADD two public.pair DEFAULT '(1,x)'`,
    mend: 'ALTER TABLE public.vms DROP more, DROP words, DROP two',
  },
  {
    name: 'crd_command dropped',
    spoil: 'ALTER TABLE public.vms DROP crd_command',
    mend: 'ALTER TABLE public.vms ADD crd_command varchar(255)',
  },
  {
    name: 'triggers of others',
    spoil: raw`CREATE TABLE public.seen (at timestamptz DEFAULT now(), hostname text);
      ALTER TABLE public.seen OWNER TO lablink;
      CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.seen (hostname) VALUES (NEW.hostname); NEW.email := lower(NEW.email);
        RETURN NEW; END $$;
      CREATE TRIGGER see BEFORE INSERT OR UPDATE ON public.vms FOR EACH ROW EXECUTE FUNCTION public.see()`,
    mend: 'DROP TRIGGER see ON public.vms',
  },
  {
    name: 'row security',
    spoil: 'ALTER TABLE public.vms ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    mend: 'ALTER TABLE public.vms DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY',
  },
  {
    name: 'UNLOGGED',
    spoil: 'ALTER TABLE public.vms SET UNLOGGED',
    mend: 'ALTER TABLE public.vms SET LOGGED',
  },
];

const createSetting = (name: string, value: string): World => ({
  name: `${name} = ${value}`,
  spoil: `ALTER ROLE lablink SET ${name} = ${value}; ALTER DATABASE :db SET ${name} = ${value}`,
  mend: `ALTER ROLE lablink RESET ${name}; ALTER DATABASE :db RESET ${name}`,
});

export const WORLDS: readonly World[] = [
  ...Object.entries(SETTINGS).map(([name, value]) => createSetting(name, value)),
  ...OTHERS,
  ...SHAPES,
];
