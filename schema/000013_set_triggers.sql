-- The triggers of vms, once for each statement instead of once for each row. stamp_vm() still runs
-- for each row, before it is written. send_vm_changes() runs once after the statement and writes
-- the audit, the deliveries and the notifications of all its rows. Where statement triggers do not
-- fire (session_replication_role = replica, the apply worker of logical replication), triggers for
-- each row do the same.
--
-- No function here may raise, for that would abort the change: whatever becomes of the columns of
-- vms, of the tables and of the other functions. Each tries the usual way first, then a slow one
-- that reads rows as JSON, and then goes on without. Each looks first at which table it was fired
-- for, before it touches a value: the types of another table, and their casts, are another role's
-- code.
--
-- stamp_vm() and send_vm_changes() run with the rights of the owner of vms and with the search_path
-- of the writer, because to set one for each row costs as much as the rest. So they call nothing by
-- a name without its schema: no type, no operator, and none of IS DISTINCT FROM, NULLIF, IN and
-- BETWEEN, which look their operator up.

-- The strongest lock first: no statement of a writer is half done when the triggers change.
LOCK TABLE public.vms IN ACCESS EXCLUSIVE MODE;

-- The JSON of a row, whatever the settings of the session. NULL where it cannot be written as JSON.
CREATE OR REPLACE FUNCTION public.vm_row_text(vm record) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
SET "DateStyle" = 'ISO, YMD'
SET "IntervalStyle" = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET lc_monetary = 'C'
SET quote_all_identifiers = off
AS $$
BEGIN
  RETURN row_to_json(vm)::text;
EXCEPTION WHEN OTHERS THEN -- a type whose cast to json raises, a text beyond 1 GB
  RETURN NULL;
END $$;

-- A row as JSON, for reading columns that may not be there. The columns that we need, where all of
-- them is too much.
CREATE OR REPLACE FUNCTION public.vm_row_json(vm record) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
AS $$
DECLARE
  fields jsonb := '{}';
BEGIN
  BEGIN
    RETURN coalesce(to_jsonb(vm), '{}');
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  BEGIN fields := fields || jsonb_build_object('hostname', vm.hostname::text); EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN fields := fields || jsonb_build_object('status', vm.status::text); EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN fields := fields || jsonb_build_object('email', vm.email::text); EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN fields := fields || jsonb_build_object('crd_command', vm.crd_command::text); EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN fields := fields || jsonb_build_object('version', vm.version::text); EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN fields := fields || jsonb_build_object('assignment_id', vm.assignment_id::text); EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN fields := fields || jsonb_build_object('updated_at', vm.updated_at::text); EXCEPTION WHEN OTHERS THEN NULL; END;
  RETURN fields;
END $$;

-- The values that stamp_vm() sets, as JSON, for a table that lacks the columns or the types that it
-- expects.
CREATE OR REPLACE FUNCTION public.vm_stamp(op text, old_vm record, new_vm record) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
AS $$
DECLARE
  ours CONSTANT text[] := '{version,updated_at,assignment_id}';
  was CONSTANT jsonb := public.vm_row_json(old_vm);
  is_now CONSTANT jsonb := public.vm_row_json(new_vm);
  generated CONSTANT text[] := ARRAY(
    SELECT attname::text FROM pg_attribute
    WHERE attrelid = to_regclass('public.vms') AND attgenerated <> '' AND NOT attisdropped);
  old_version bigint;
  version bigint;
  assignment text := is_now ->> 'assignment_id';
  has_new_person boolean := false;
  stamp jsonb := '{}';
BEGIN
  IF op = 'UPDATE' THEN
    assignment := was ->> 'assignment_id';
    IF (was - ours - generated)::text = (is_now - ours - generated)::text THEN
      RETURN jsonb_build_object(
        'version', was -> 'version', 'updated_at', was -> 'updated_at', 'assignment_id', was -> 'assignment_id');
    END IF;
    has_new_person := record_image_ne(
      ROW(was ->> 'status', was ->> 'email', was ->> 'crd_command'),
      ROW(is_now ->> 'status', is_now ->> 'email', is_now ->> 'crd_command'));
    stamp := jsonb_build_object('updated_at', now());
    BEGIN
      old_version := was ->> 'version';
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END IF;
  BEGIN
    version := nextval('public.vms_version_seq');
  EXCEPTION WHEN OTHERS THEN NULL; -- the sequence is gone
  END;
  IF old_version < 9007199254740991 THEN
    version := greatest(version, old_version + 1);
  END IF;
  IF is_now ->> 'status' = 'available' THEN
    assignment := NULL;
  ELSIF is_now ->> 'status' = 'in-use' AND (has_new_person OR assignment IS NULL) THEN
    assignment := gen_random_uuid();
    BEGIN
      IF was ->> 'hostname' COLLATE "C" = is_now ->> 'hostname' AND version IS NOT NULL THEN
        assignment := public.make_vm_assignment_id(
          is_now ->> 'hostname', is_now ->> 'email', is_now ->> 'crd_command', version);
      END IF;
    EXCEPTION WHEN OTHERS THEN NULL; -- no key, a text that is not UTF-8
    END;
  END IF;
  RETURN stamp || jsonb_build_object('version', version, 'assignment_id', assignment);
END $$;

CREATE OR REPLACE FUNCTION public.stamp_vm() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
  stamp pg_catalog.jsonb;
  has_new_person boolean := false;
  is_changed boolean;
BEGIN
  -- A partition fires its table's trigger under its own name.
  IF TG_TABLE_NAME OPERATOR(pg_catalog.<>) 'vms' OR TG_TABLE_SCHEMA OPERATOR(pg_catalog.<>) 'public' THEN
    BEGIN
      IF (pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid
        OPERATOR(pg_catalog.=) pg_catalog.to_regclass('public.vms')::pg_catalog.oid) IS NOT TRUE THEN
        RETURN NEW;
      END IF;
    EXCEPTION WHEN OTHERS THEN
      RETURN NEW;
    END;
  END IF;

  BEGIN
    IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
      NEW.version := OLD.version;
      NEW.assignment_id := OLD.assignment_id;
      NEW.updated_at := OLD.updated_at;
      -- Rows are compared by image: json and xml have no equality, and a collation may call
      -- different texts equal.
      has_new_person := pg_catalog.record_image_ne(
        ROW(OLD.status, OLD.email, OLD.crd_command), ROW(NEW.status, NEW.email, NEW.crd_command));
      -- Whole rows only where that much is equal: large values need not be fetched to be compared.
      IF NOT has_new_person THEN
        IF NOT pg_catalog.record_image_ne(OLD, NEW) THEN
          RETURN NEW;
        END IF;
        -- In a BEFORE trigger the stored generated columns of NEW are NULL: compare without them.
        IF EXISTS (
          SELECT FROM pg_catalog.pg_attribute
          WHERE attrelid OPERATOR(pg_catalog.=) 'public.vms'::pg_catalog.regclass
            AND attgenerated OPERATOR(pg_catalog.<>) ''::pg_catalog."char"
        ) THEN
          EXECUTE (
            SELECT pg_catalog.format('SELECT pg_catalog.record_image_ne(ROW(%s), ROW(%s))',
              pg_catalog.string_agg(pg_catalog.format('($1).%I', attname), ', '),
              pg_catalog.string_agg(pg_catalog.format('($2).%I', attname), ', '))
            FROM pg_catalog.pg_attribute
            WHERE attrelid OPERATOR(pg_catalog.=) TG_RELID AND attnum OPERATOR(pg_catalog.>) 0
              AND NOT attisdropped AND attgenerated OPERATOR(pg_catalog.=) ''::pg_catalog."char"
          ) INTO is_changed USING OLD, NEW;
          IF NOT is_changed THEN
            RETURN NEW;
          END IF;
        END IF;
      END IF;
      -- The type of updated_at decides: a time without a zone is in UTC.
      IF pg_catalog.pg_typeof(NEW.updated_at)::pg_catalog.oid OPERATOR(pg_catalog.=) 1184::pg_catalog.oid THEN
        NEW.updated_at := pg_catalog.now();
      ELSE
        NEW.updated_at := pg_catalog.timezone('UTC', pg_catalog.now());
      END IF;
      NEW.version := pg_catalog.nextval('public.vms_version_seq');
      IF OLD.version OPERATOR(pg_catalog.<) 9007199254740991 THEN
        NEW.version := greatest(NEW.version, OLD.version OPERATOR(pg_catalog.+) 1);
      END IF;
    ELSE
      NEW.version := pg_catalog.nextval('public.vms_version_seq');
    END IF;

    IF NEW.status::pg_catalog.text COLLATE pg_catalog."C" OPERATOR(pg_catalog.=) 'available' THEN
      NEW.assignment_id := NULL;
    ELSIF NEW.status::pg_catalog.text COLLATE pg_catalog."C" OPERATOR(pg_catalog.=) 'in-use'
      AND (has_new_person OR NEW.assignment_id IS NULL) THEN
      -- Only for a row that exists under this name: a role that may INSERT, but not change this VM,
      -- could otherwise have an assignment of the VM authenticated. An assignment_id given to
      -- INSERT is kept: a restored row must not start its command again.
      IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' AND OLD.hostname::pg_catalog.text COLLATE pg_catalog."C"
        OPERATOR(pg_catalog.=) NEW.hostname::pg_catalog.text THEN
        NEW.assignment_id := public.make_vm_assignment_id(
          NEW.hostname::pg_catalog.text, NEW.email::pg_catalog.text, NEW.crd_command::pg_catalog.text, NEW.version);
      ELSE
        NEW.assignment_id := pg_catalog.gen_random_uuid();
      END IF;
    END IF;
    RETURN NEW;
  EXCEPTION WHEN OTHERS THEN NULL; -- a column is gone or has another type, the sequence is gone
  END;

  BEGIN
    stamp := public.vm_stamp(TG_OP, OLD, NEW);
    NEW := pg_catalog.jsonb_populate_record(NEW, stamp);
  EXCEPTION WHEN OTHERS THEN NULL; -- unstamped, the row is sent as one that must be read
  END;
  RETURN NEW;
END $$;

-- The audit and the delivery of one row, whatever its columns. Returns why something could not be
-- recorded, or NULL.
CREATE OR REPLACE FUNCTION public.record_vm_row(op text, old_vm record, new_vm record) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  was jsonb;
  is_now jsonb;
  version_now bigint;
  failure text;
BEGIN
  IF op = 'UPDATE' AND NOT old_vm *<> new_vm THEN
    RETURN NULL;
  END IF;
  was := public.vm_row_json(old_vm);
  is_now := public.vm_row_json(new_vm);
  BEGIN
    version_now := coalesce(is_now ->> 'version', was ->> 'version');
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  BEGIN
    INSERT INTO public.vm_events (op, hostname, old_hostname, assignment_id, old_status, new_status,
      old_email, new_email, crd_command_changed, version, actor, request_id)
    VALUES (lower(op), coalesce(is_now ->> 'hostname', was ->> 'hostname'),
      CASE WHEN was ->> 'hostname' COLLATE "C" <> is_now ->> 'hostname' THEN was ->> 'hostname' END,
      coalesce(is_now ->> 'assignment_id', was ->> 'assignment_id'),
      was ->> 'status', is_now ->> 'status', was ->> 'email', is_now ->> 'email',
      was ->> 'crd_command' IS DISTINCT FROM is_now ->> 'crd_command', version_now,
      nullif(current_setting('lablink.actor', true), ''), nullif(current_setting('lablink.request_id', true), ''));
  EXCEPTION WHEN OTHERS THEN
    failure := 'vm_events lacks a change of vms: ' || SQLERRM;
  END;
  IF is_now ->> 'assignment_id' IS DISTINCT FROM was ->> 'assignment_id' AND is_now ->> 'assignment_id' IS NOT NULL THEN
    BEGIN
      INSERT INTO public.vm_deliveries (assignment_id, hostname, made_at)
      VALUES ((is_now ->> 'assignment_id')::uuid, is_now ->> 'hostname', now()) ON CONFLICT DO NOTHING;
    EXCEPTION WHEN OTHERS THEN
      failure := 'vm_deliveries lacks an assignment: ' || SQLERRM;
    END;
  END IF;
  RETURN failure;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLERRM;
END $$;

-- The notifications of one row, whatever its columns.
CREATE OR REPLACE FUNCTION public.notify_vm_row(op text, old_vm record, new_vm record) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  was jsonb;
  is_now jsonb;
  row_text text;
BEGIN
  IF op = 'UPDATE' AND NOT old_vm *<> new_vm THEN
    RETURN;
  END IF;
  was := public.vm_row_json(old_vm);
  is_now := public.vm_row_json(new_vm);
  IF op = 'DELETE' THEN
    PERFORM public.notify_vm_read(was ->> 'hostname');
    RETURN;
  END IF;
  -- Without a version of its own (vm_stamp_trigger is disabled) a row cannot be put in order.
  IF is_now ->> 'version' IS NOT NULL AND is_now ->> 'version' IS DISTINCT FROM was ->> 'version' THEN
    row_text := public.vm_row_text(new_vm);
  END IF;
  IF octet_length(row_text) < 8000 THEN
    PERFORM pg_notify('vm_updates', row_text);
  ELSE
    PERFORM public.notify_vm_read(is_now ->> 'hostname');
  END IF;
  IF op = 'UPDATE' AND was ->> 'hostname' COLLATE "C" <> is_now ->> 'hostname' THEN
    PERFORM public.notify_vm_read(was ->> 'hostname');
  END IF;
EXCEPTION WHEN OTHERS THEN
  PERFORM public.notify_vm_read(NULL);
END $$;

-- Without jit: the planner overrates the pairing of 10,000 rows, and compiles for half a second
-- what runs for a tenth.
CREATE OR REPLACE FUNCTION public.send_vm_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  asked_by pg_catalog.text := pg_catalog.current_setting('lablink.actor', true);
  asked_in pg_catalog.text := pg_catalog.current_setting('lablink.request_id', true);
  row_count bigint;
  is_single_update boolean;
  is_plain boolean;
  old_vm pg_catalog.record;
  new_vm pg_catalog.record;
  pair pg_catalog.record;
  row_json pg_catalog.text;
  is_recordable boolean := true;
  failure pg_catalog.text;
  first_failure pg_catalog.text;
BEGIN
  IF TG_TABLE_NAME OPERATOR(pg_catalog.<>) 'vms' OR TG_TABLE_SCHEMA OPERATOR(pg_catalog.<>) 'public' THEN
    RETURN NULL;
  END IF;
  IF asked_by OPERATOR(pg_catalog.=) '' THEN asked_by := NULL; END IF;
  IF asked_in OPERATOR(pg_catalog.=) '' THEN asked_in := NULL; END IF;

  BEGIN
    IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
      SELECT pg_catalog.count(*) INTO row_count FROM old_vms;
    ELSE
      SELECT pg_catalog.count(*) INTO row_count FROM new_vms;
    END IF;
    IF row_count OPERATOR(pg_catalog.=) 0 THEN
      RETURN NULL;
    END IF;

    is_single_update := TG_OP OPERATOR(pg_catalog.=) 'UPDATE' AND row_count OPERATOR(pg_catalog.=) 1;
    IF is_single_update THEN
      -- The usual statement, without the plan that pairs old rows with new ones.
      SELECT * INTO old_vm FROM old_vms LIMIT 1;
      SELECT * INTO new_vm FROM new_vms LIMIT 1;
      IF NOT pg_catalog.record_image_ne(old_vm, new_vm) THEN
        RETURN NULL;
      END IF;
    END IF;

    -- Columns of these types (16 bool, 20 bigint, 21 smallint, 23 integer, 25 text, 114 json, 1043
    -- varchar, 1082 date, 1114 timestamp, 1700 numeric, 2950 uuid, 3802 jsonb) read the same in
    -- JSON whatever the settings of the session.
    IF TG_OP OPERATOR(pg_catalog.<>) 'DELETE' THEN
      is_plain := NOT EXISTS (
        SELECT FROM pg_catalog.pg_attribute
        WHERE attrelid OPERATOR(pg_catalog.=) 'public.vms'::pg_catalog.regclass
          AND attnum OPERATOR(pg_catalog.>) 0 AND NOT attisdropped
          AND atttypid OPERATOR(pg_catalog.<>)
            ALL ('{16,20,21,23,25,114,1043,1082,1114,1700,2950,3802}'::pg_catalog.oid[]));
    END IF;

    IF is_single_update THEN
      INSERT INTO public.vm_events (op, hostname, old_hostname, assignment_id, old_status, new_status,
        old_email, new_email, crd_command_changed, version, actor, request_id)
      VALUES ('update', new_vm.hostname,
        CASE WHEN old_vm.hostname::pg_catalog.text COLLATE pg_catalog."C"
          OPERATOR(pg_catalog.<>) new_vm.hostname::pg_catalog.text THEN old_vm.hostname END,
        coalesce(new_vm.assignment_id, old_vm.assignment_id), old_vm.status, new_vm.status, old_vm.email, new_vm.email,
        pg_catalog.record_image_ne(ROW(old_vm.crd_command), ROW(new_vm.crd_command)),
        new_vm.version, asked_by, asked_in);
      IF new_vm.assignment_id IS NOT NULL
        AND (old_vm.assignment_id OPERATOR(pg_catalog.=) new_vm.assignment_id) IS NOT TRUE THEN
        INSERT INTO public.vm_deliveries (assignment_id, hostname, made_at)
        VALUES (new_vm.assignment_id, new_vm.hostname, pg_catalog.now()) ON CONFLICT DO NOTHING;
      END IF;
      -- Without a version of its own (vm_stamp_trigger is disabled) a row cannot be put in order.
      IF new_vm.version IS NOT NULL AND (old_vm.version OPERATOR(pg_catalog.=) new_vm.version) IS NOT TRUE THEN
        IF is_plain THEN
          row_json := pg_catalog.row_to_json(new_vm)::pg_catalog.text;
        ELSE
          row_json := public.vm_row_text(new_vm);
        END IF;
      END IF;
      IF pg_catalog.octet_length(row_json) OPERATOR(pg_catalog.<) 8000 THEN
        PERFORM pg_catalog.pg_notify('vm_updates', row_json);
      ELSE
        PERFORM public.notify_vm_read(new_vm.hostname::pg_catalog.text);
      END IF;
      IF old_vm.hostname::pg_catalog.text COLLATE pg_catalog."C"
        OPERATOR(pg_catalog.<>) new_vm.hostname::pg_catalog.text THEN
        PERFORM public.notify_vm_read(old_vm.hostname::pg_catalog.text);
      END IF;
      RETURN NULL;
    END IF;

    IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
      -- Old and new rows stand in the same order, so their numbers pair them: there may be no key,
      -- or it may change. A FULL JOIN, because it can only hash or merge: a plan made for two rows
      -- would otherwise loop over 10,000 times 10,000.
      WITH changed AS MATERIALIZED (
        SELECT n.place, n.hostname, o.hostname AS old_hostname, n.version,
          CASE WHEN o.hostname::pg_catalog.text COLLATE pg_catalog."C"
            OPERATOR(pg_catalog.<>) n.hostname::pg_catalog.text THEN o.hostname END AS renamed_from,
          n.assignment_id, o.assignment_id AS old_assignment_id, n.status, o.status AS old_status,
          n.email, o.email AS old_email,
          pg_catalog.record_image_ne(ROW(o.crd_command), ROW(n.crd_command)) AS crd_command_changed,
          CASE
            WHEN n.version IS NULL OR o.version OPERATOR(pg_catalog.=) n.version THEN NULL
            WHEN is_plain THEN pg_catalog.row_to_json(n.vm)::pg_catalog.text
            ELSE public.vm_row_text(n.vm)
          END AS row_text
        FROM (SELECT pg_catalog.row_number() OVER () AS place, old_vms AS vm, * FROM old_vms) o
        FULL JOIN (SELECT pg_catalog.row_number() OVER () AS place, new_vms AS vm, * FROM new_vms) n
          ON o.place OPERATOR(pg_catalog.=) n.place
        WHERE pg_catalog.record_image_ne(o.vm, n.vm)
      ), events AS (
        INSERT INTO public.vm_events (op, hostname, old_hostname, assignment_id, old_status, new_status,
          old_email, new_email, crd_command_changed, version, actor, request_id)
        SELECT 'update', hostname, renamed_from, coalesce(assignment_id, old_assignment_id), old_status, status,
          old_email, email, crd_command_changed, version, asked_by, asked_in
        FROM changed ORDER BY place
      ), deliveries AS (
        INSERT INTO public.vm_deliveries (assignment_id, hostname, made_at)
        SELECT assignment_id, hostname, pg_catalog.now() FROM changed
        WHERE assignment_id IS NOT NULL AND (old_assignment_id OPERATOR(pg_catalog.=) assignment_id) IS NOT TRUE
        ON CONFLICT DO NOTHING
      )
      SELECT pg_catalog.count(CASE WHEN pg_catalog.octet_length(row_text) OPERATOR(pg_catalog.<) 8000
          THEN pg_catalog.pg_notify('vm_updates', row_text)
          ELSE public.notify_vm_read(hostname::pg_catalog.text) END)
        OPERATOR(pg_catalog.+) pg_catalog.count(CASE WHEN renamed_from IS NOT NULL
          THEN public.notify_vm_read(renamed_from::pg_catalog.text) END)
      INTO row_count
      FROM (SELECT * FROM changed ORDER BY place) changed;

    ELSIF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
      INSERT INTO public.vm_events (op, hostname, assignment_id, new_status, new_email, crd_command_changed, version,
        actor, request_id)
      SELECT 'insert', hostname, assignment_id, status, email, crd_command IS NOT NULL, version, asked_by, asked_in
      FROM new_vms;
      INSERT INTO public.vm_deliveries (assignment_id, hostname, made_at)
      SELECT assignment_id, hostname, pg_catalog.now() FROM new_vms WHERE assignment_id IS NOT NULL
      ON CONFLICT DO NOTHING;
      PERFORM CASE WHEN pg_catalog.octet_length(row_text) OPERATOR(pg_catalog.<) 8000
        THEN pg_catalog.pg_notify('vm_updates', row_text)
        ELSE public.notify_vm_read(hostname::pg_catalog.text) END
      FROM (
        SELECT hostname, CASE
          WHEN version IS NULL THEN NULL
          WHEN is_plain THEN pg_catalog.row_to_json(new_vms)::pg_catalog.text
          ELSE public.vm_row_text(new_vms)
        END AS row_text
        FROM new_vms OFFSET 0
      ) inserted;

    ELSE
      INSERT INTO public.vm_events (op, hostname, assignment_id, old_status, old_email, crd_command_changed, version,
        actor, request_id)
      SELECT 'delete', hostname, assignment_id, status, email, crd_command IS NOT NULL, version, asked_by, asked_in
      FROM old_vms;
      IF row_count OPERATOR(pg_catalog.>) 100 THEN
        PERFORM pg_catalog.pg_notify('vm_changes', '{"op":"read"}');
      ELSE
        PERFORM public.notify_vm_read(hostname::pg_catalog.text) FROM old_vms;
      END IF;
    END IF;
    RETURN NULL;
  EXCEPTION WHEN OTHERS THEN
    first_failure := SQLERRM;
    -- No room or a lock that others keep: the next row would fare no better.
    is_recordable := pg_catalog.left(SQLSTATE, 2) OPERATOR(pg_catalog.<>) '53' AND SQLSTATE OPERATOR(pg_catalog.<>) '55P03';
  END;

  -- Row by row, so that what fails, fails alone. The usual way has been undone, its notifications
  -- too.
  BEGIN
    IF is_recordable THEN
      first_failure := NULL;
    END IF;
    IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
      FOR pair IN
        SELECT o.vm AS old_vm, n.vm AS new_vm
        FROM (SELECT pg_catalog.row_number() OVER () AS place, old_vms AS vm FROM old_vms) o
        FULL JOIN (SELECT pg_catalog.row_number() OVER () AS place, new_vms AS vm FROM new_vms) n
          ON o.place OPERATOR(pg_catalog.=) n.place
        ORDER BY n.place
      LOOP
        IF is_recordable THEN
          failure := public.record_vm_row(TG_OP, pair.old_vm, pair.new_vm);
          first_failure := coalesce(first_failure, failure);
        END IF;
        PERFORM public.notify_vm_row(TG_OP, pair.old_vm, pair.new_vm);
      END LOOP;
    ELSIF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
      FOR pair IN SELECT NULL::pg_catalog.record AS old_vm, new_vms AS new_vm FROM new_vms LOOP
        IF is_recordable THEN
          failure := public.record_vm_row(TG_OP, pair.old_vm, pair.new_vm);
          first_failure := coalesce(first_failure, failure);
        END IF;
        PERFORM public.notify_vm_row(TG_OP, pair.old_vm, pair.new_vm);
      END LOOP;
    ELSE
      FOR pair IN SELECT old_vms AS old_vm, NULL::pg_catalog.record AS new_vm FROM old_vms LOOP
        IF is_recordable THEN
          failure := public.record_vm_row(TG_OP, pair.old_vm, pair.new_vm);
          first_failure := coalesce(first_failure, failure);
        END IF;
        PERFORM public.notify_vm_row(TG_OP, pair.old_vm, pair.new_vm);
      END LOOP;
    END IF;
  EXCEPTION WHEN OTHERS THEN
    first_failure := coalesce(first_failure, SQLERRM);
    BEGIN
      PERFORM pg_catalog.pg_notify('vm_changes', '{"op":"read"}');
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END;
  IF first_failure IS NOT NULL THEN
    RAISE WARNING 'a change of vms is not fully recorded: %', first_failure;
  END IF;
  RETURN NULL;
END $$;

-- For each row, where statement triggers do not fire. A table may have had its name since, or its
-- triggers copied.
CREATE OR REPLACE FUNCTION public.record_vm_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  failure text;
BEGIN
  -- Enabled for every session, by a restore for example, it must not record what send_vm_changes()
  -- has recorded.
  IF current_setting('session_replication_role') <> 'replica'
    OR coalesce(pg_partition_root(TG_RELID), TG_RELID) IS DISTINCT FROM to_regclass('public.vms') THEN
    RETURN NULL;
  END IF;
  failure := public.record_vm_row(TG_OP, OLD, NEW);
  IF failure IS NOT NULL THEN
    RAISE WARNING 'a change of vms is not fully recorded: %', failure;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'a change of vms is not recorded: %', SQLERRM;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION public.notify_vm_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(pg_partition_root(TG_RELID), TG_RELID) IS DISTINCT FROM to_regclass('public.vms') THEN
    RETURN NULL;
  END IF;
  PERFORM public.notify_vm_row(TG_OP, OLD, NEW);
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'a change of vms is not sent: %', SQLERRM;
  RETURN NULL;
END $$;

-- DELETE of a row, where the statement trigger does not fire, and TRUNCATE everywhere.
CREATE OR REPLACE FUNCTION public.notify_vm_removed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(pg_partition_root(TG_RELID), TG_RELID) IS DISTINCT FROM to_regclass('public.vms') THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'DELETE' THEN
    PERFORM public.notify_vm_row(TG_OP, OLD, NULL::record);
  ELSE
    PERFORM pg_notify('vm_changes', '{"op":"read"}');
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'a change of vms is not sent: %', SQLERRM;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION public.record_vm_truncation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(pg_partition_root(TG_RELID), TG_RELID) IS DISTINCT FROM to_regclass('public.vms') THEN
    RETURN NULL;
  END IF;
  INSERT INTO public.vm_events (op, hostname, assignment_id, old_status, old_email,
    crd_command_changed, version, actor, request_id)
  SELECT 'truncate', vm ->> 'hostname', vm ->> 'assignment_id', vm ->> 'status', vm ->> 'email',
    vm ->> 'crd_command' IS NOT NULL, (vm ->> 'version')::bigint,
    nullif(current_setting('lablink.actor', true), ''), nullif(current_setting('lablink.request_id', true), '')
  FROM (SELECT public.vm_row_json(vms) AS vm FROM public.vms) removed;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'vm_events lacks a truncation of vms: %', SQLERRM;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS vm_stamp_trigger ON public.vms;
CREATE TRIGGER vm_stamp_trigger
  BEFORE INSERT OR UPDATE ON public.vms
  FOR EACH ROW EXECUTE FUNCTION public.stamp_vm();
ALTER TABLE public.vms ENABLE ALWAYS TRIGGER vm_stamp_trigger;

-- Each event has a trigger of its own: a trigger with transition tables can have no more.
DROP TRIGGER IF EXISTS vm_insert_set_trigger ON public.vms;
CREATE TRIGGER vm_insert_set_trigger
  AFTER INSERT ON public.vms REFERENCING NEW TABLE AS new_vms
  FOR EACH STATEMENT EXECUTE FUNCTION public.send_vm_changes();

DROP TRIGGER IF EXISTS vm_update_set_trigger ON public.vms;
CREATE TRIGGER vm_update_set_trigger
  AFTER UPDATE ON public.vms REFERENCING OLD TABLE AS old_vms NEW TABLE AS new_vms
  FOR EACH STATEMENT EXECUTE FUNCTION public.send_vm_changes();

DROP TRIGGER IF EXISTS vm_delete_set_trigger ON public.vms;
CREATE TRIGGER vm_delete_set_trigger
  AFTER DELETE ON public.vms REFERENCING OLD TABLE AS old_vms
  FOR EACH STATEMENT EXECUTE FUNCTION public.send_vm_changes();

-- They fire exactly where those do not.
DROP TRIGGER IF EXISTS vm_update_trigger ON public.vms;
CREATE TRIGGER vm_update_trigger
  AFTER INSERT OR UPDATE ON public.vms
  FOR EACH ROW EXECUTE FUNCTION public.notify_vm_changes();
ALTER TABLE public.vms ENABLE REPLICA TRIGGER vm_update_trigger;

DROP TRIGGER IF EXISTS vm_delete_trigger ON public.vms;
CREATE TRIGGER vm_delete_trigger
  AFTER DELETE ON public.vms
  FOR EACH ROW EXECUTE FUNCTION public.notify_vm_removed();
ALTER TABLE public.vms ENABLE REPLICA TRIGGER vm_delete_trigger;

DROP TRIGGER IF EXISTS vm_audit_trigger ON public.vms;
CREATE TRIGGER vm_audit_trigger
  AFTER INSERT OR UPDATE OR DELETE ON public.vms
  FOR EACH ROW EXECUTE FUNCTION public.record_vm_event();
ALTER TABLE public.vms ENABLE REPLICA TRIGGER vm_audit_trigger;

DROP TRIGGER IF EXISTS vm_delivery_insert_trigger ON public.vms;
DROP TRIGGER IF EXISTS vm_delivery_trigger ON public.vms;
DROP FUNCTION IF EXISTS public.record_vm_delivery();

-- They belong to the owner of the table, with whose rights they act.
DO $$
DECLARE
  owner regrole := (SELECT relowner FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass);
  name text;
BEGIN
  FOREACH name IN ARRAY '{vm_row_text(record),vm_row_json(record),"vm_stamp(text, record, record)",stamp_vm(),'
    '"record_vm_row(text, record, record)","notify_vm_row(text, record, record)",send_vm_changes(),'
    'record_vm_event(),notify_vm_changes(),notify_vm_removed(),record_vm_truncation()}'::text[]
  LOOP
    EXECUTE format('ALTER FUNCTION public.%s OWNER TO %s', name, owner);
  END LOOP;
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
