-- The trigger that stamps every change of a row with its version, its time and the identity of its
-- assignment, and takes no notice of an UPDATE that changes nothing. It must never raise, for that
-- would abort the change: every expression is defined for every row, and no right of the writer's
-- is needed.

LOCK TABLE public.vms IN ACCESS EXCLUSIVE MODE;

-- Rows are compared by image (record_image_ne): json and xml have no equality, so that an operator
-- would raise, and a collation may call different texts equal.
CREATE OR REPLACE FUNCTION public.stamp_vm() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
AS $$
DECLARE
  max_version CONSTANT bigint := 9007199254740991; -- 2^53 - 1
  new_status text;
  assignment_changed boolean := false;
  other_changed boolean;
BEGIN
  BEGIN
    new_status := NEW.status;
    IF TG_OP = 'UPDATE' THEN
      NEW.updated_at := OLD.updated_at;
      assignment_changed := pg_catalog.record_image_ne(
        ROW(OLD.status, OLD.email, OLD.crd_command), ROW(NEW.status, NEW.email, NEW.crd_command));
    END IF;
  EXCEPTION WHEN datatype_mismatch THEN
    -- A session keeps the plans it made before an ALTER COLUMN ... TYPE; these are planned anew.
    EXECUTE 'SELECT ($1).status' INTO new_status USING NEW;
    IF TG_OP = 'UPDATE' THEN
      EXECUTE 'SELECT ($1).updated_at, pg_catalog.record_image_ne(
          ROW(($1).status, ($1).email, ($1).crd_command),
          ROW(($2).status, ($2).email, ($2).crd_command))'
        INTO NEW.updated_at, assignment_changed USING OLD, NEW;
    END IF;
  END;

  IF TG_OP = 'UPDATE' THEN
    NEW.version := OLD.version;
    NEW.assignment_id := OLD.assignment_id;
    -- Whole rows only where that much is equal: large values need not be fetched to be compared.
    IF NOT assignment_changed THEN
      other_changed := pg_catalog.record_image_ne(OLD, NEW);
      -- In a BEFORE trigger the stored generated columns of NEW are NULL: compare without them.
      IF other_changed AND EXISTS (
        SELECT FROM pg_catalog.pg_attribute WHERE attrelid = TG_RELID AND attgenerated <> ''
      ) THEN
        EXECUTE (
          SELECT pg_catalog.format('SELECT pg_catalog.record_image_ne(ROW(%s), ROW(%s))',
            pg_catalog.string_agg(pg_catalog.format('($1).%I', attname), ', '),
            pg_catalog.string_agg(pg_catalog.format('($2).%I', attname), ', '))
          FROM pg_catalog.pg_attribute
          WHERE attrelid = TG_RELID AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        ) INTO other_changed USING OLD, NEW;
      END IF;
      IF NOT other_changed THEN
        RETURN NEW;
      END IF;
    END IF;
    NEW.updated_at := pg_catalog.now(); -- in UTC, because TimeZone is
  END IF;

  NEW.version := pg_catalog.nextval('public.vms_version_seq');
  IF TG_OP = 'UPDATE' AND OLD.version < max_version THEN
    NEW.version := greatest(NEW.version, OLD.version + 1);
  END IF;

  -- An assignment_id given to INSERT is kept: a restored row must not start its command again.
  IF new_status = 'available' THEN
    NEW.assignment_id := NULL;
  ELSIF new_status = 'in-use' AND (assignment_changed OR NEW.assignment_id IS NULL) THEN
    NEW.assignment_id := pg_catalog.gen_random_uuid();
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS vm_stamp_trigger ON public.vms;
CREATE TRIGGER vm_stamp_trigger
  BEFORE INSERT OR UPDATE ON public.vms
  FOR EACH ROW EXECUTE FUNCTION public.stamp_vm();
ALTER TABLE public.vms ENABLE ALWAYS TRIGGER vm_stamp_trigger;

-- The rows that are there get their values in the same transaction as the trigger, so that none slips
-- through in between; nobody is told, and updated_at stays. All triggers are off meanwhile, and then
-- each is as it was: one that somebody disabled stays so. A sequence behind the rows moves up first.
DO $$
DECLARE
  restore_triggers text := (
    SELECT string_agg(
      format('ALTER TABLE public.vms ENABLE %s TRIGGER %I;',
        CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, tgname), ' ')
    FROM pg_catalog.pg_trigger
    WHERE tgrelid = 'public.vms'::regclass AND NOT tgisinternal AND tgenabled <> 'D'
  );
  highest bigint := (
    SELECT max(version) FROM public.vms WHERE version BETWEEN 1 AND 9007199254740991
  );
BEGIN
  IF highest > (SELECT last_value FROM public.vms_version_seq) THEN
    PERFORM setval('public.vms_version_seq', highest);
  END IF;
  ALTER TABLE public.vms DISABLE TRIGGER USER;
  UPDATE public.vms SET version = nextval('public.vms_version_seq') WHERE version IS NULL;
  UPDATE public.vms SET assignment_id = gen_random_uuid()
  WHERE status = 'in-use' AND assignment_id IS NULL;
  EXECUTE restore_triggers;
END $$;

-- It belongs to the owner of the table, whoever migrates: what runs with rights beyond the writer's
-- should have no more than it needs. A role that may not give it away keeps it.
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION public.stamp_vm() OWNER TO %s',
    (SELECT relowner::regrole FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass));
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
