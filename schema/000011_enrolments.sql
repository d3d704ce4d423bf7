-- Which hostnames have enrolled: each is given a token for its agent once, until an admin allows it again. Of the nonce
-- with which a VM proves that it was the one, the hash alone: whoever reads the table cannot ask in its name.

CREATE TABLE IF NOT EXISTS public.vm_enrolments (
  hostname TEXT PRIMARY KEY,
  nonce_sha256 BYTEA, -- NULL: it brought none, and cannot ask again
  enrolled_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  actor TEXT
);

-- It belongs to the owner of vms, who would otherwise have no right to it.
DO $$
BEGIN
  EXECUTE format('ALTER TABLE public.vm_enrolments OWNER TO %s',
    (SELECT relowner::regrole FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass));
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
