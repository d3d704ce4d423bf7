-- The columns version and assignment_id, and the sequence that versions come from.

-- The strongest lock first: taking it after a weaker one could deadlock with a writer.
LOCK TABLE public.vms IN ACCESS EXCLUSIVE MODE;

ALTER TABLE public.vms
  ADD COLUMN IF NOT EXISTS version BIGINT,
  ADD COLUMN IF NOT EXISTS assignment_id UUID;

-- A column that had one of these names and another type has another meaning: it is not filled.
DO $$
DECLARE
  taken text := (
    SELECT string_agg(format('vms.%I is %s', attname, format_type(atttypid, atttypmod)), ', ')
    FROM pg_catalog.pg_attribute
    WHERE attrelid = 'public.vms'::regclass
      AND (attname = 'version' AND atttypid <> 'bigint'::regtype
        OR attname = 'assignment_id' AND atttypid <> 'uuid'::regtype)
  );
BEGIN
  IF taken IS NOT NULL THEN
    RAISE EXCEPTION 'version must be bigint and assignment_id uuid, but %', taken
      USING ERRCODE = 'datatype_mismatch', HINT = 'Rename the existing column, then migrate again.';
  END IF;
END $$;

-- Versions travel as JSON numbers, so none may exceed 2^53 - 1. CYCLE, so that nextval cannot fail.
-- CACHE 1, because numbers handed to sessions in blocks would not follow the order of changes.
-- Not owned by the column: TRUNCATE ... RESTART IDENTITY must not start versions again.
CREATE SEQUENCE IF NOT EXISTS public.vms_version_seq;
ALTER SEQUENCE public.vms_version_seq
  AS bigint INCREMENT 1 MINVALUE 1 MAXVALUE 9007199254740991 CACHE 1 CYCLE OWNED BY NONE;

-- The default serves rows inserted while the triggers are disabled. It is evaluated with the
-- writer's rights, and whoever could INSERT before must still be able to.
GRANT USAGE ON SEQUENCE public.vms_version_seq TO PUBLIC;
ALTER TABLE public.vms
  ALTER COLUMN version SET DEFAULT nextval('public.vms_version_seq'::regclass);

-- The sequence belongs to the owner of the table, whoever migrates. A role that may not give it
-- away keeps it.
DO $$
BEGIN
  EXECUTE format('ALTER SEQUENCE public.vms_version_seq OWNER TO %s',
    (SELECT relowner::regrole FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass));
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
