-- What the assigning of VMs reads by: the row of a VM as text, as it is in a notification and in read_vms(), for a
-- statement that has just changed it; and the indexes of its searches.

CREATE OR REPLACE FUNCTION public.vm_text(vm public.vms) RETURNS text
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
BEGIN
  RETURN pg_catalog.row_to_json(vm)::text;
END $$;

-- The longest-available first: of 10,000 free VMs EXPLAIN ANALYZE found the first in 0.03 ms with it and in 7 ms without.
-- Not a partial one: its predicate would be in the way of who gives status another type.
CREATE INDEX IF NOT EXISTS idx_vms_status_updated_at
  ON public.vms (status, updated_at NULLS FIRST, id);

CREATE INDEX IF NOT EXISTS idx_vms_assignment_id
  ON public.vms (assignment_id) WHERE assignment_id IS NOT NULL;

DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION public.vm_text(public.vms) OWNER TO %s',
    (SELECT relowner::regrole FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass));
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
