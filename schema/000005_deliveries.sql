-- What agents acknowledged: an assignment that has a row here has reached its VM.

CREATE TABLE IF NOT EXISTS public.vm_deliveries (
  assignment_id UUID PRIMARY KEY,
  hostname TEXT NOT NULL,
  acknowledged_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- It belongs to the owner of vms, who would otherwise have no right to it.
DO $$
BEGIN
  EXECUTE format('ALTER TABLE public.vm_deliveries OWNER TO %s',
    (SELECT relowner::regrole FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass));
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
