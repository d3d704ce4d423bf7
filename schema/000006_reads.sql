-- How the gateway reads rows: the same text that a notification of that row carries, whatever the
-- settings of the connection, so that a row that was heard and the same row read are equal. It runs
-- with the reader's own rights. NULL reads all rows.

CREATE OR REPLACE FUNCTION public.read_vms(hostnames text[])
RETURNS TABLE (hostname text, version bigint, status text, row_text text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
SET "DateStyle" = 'ISO, YMD'
SET "IntervalStyle" = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET lc_monetary = 'C'
SET quote_all_identifiers = off
AS $$
#variable_conflict use_column
BEGIN
  -- Two queries: one for both cases would not use the index on hostname.
  IF hostnames IS NULL THEN
    RETURN QUERY
      SELECT v.hostname::text, coalesce(v.version, 0), v.status::text,
        pg_catalog.row_to_json(v)::text
      FROM public.vms v;
  ELSE
    RETURN QUERY
      SELECT v.hostname::text, coalesce(v.version, 0), v.status::text,
        pg_catalog.row_to_json(v)::text
      FROM public.vms v WHERE v.hostname = ANY (hostnames);
  END IF;
END $$;

-- It belongs to the owner of the table, as the functions of the triggers do.
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION public.read_vms(text[]) OWNER TO %s',
    (SELECT relowner::regrole FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass));
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
