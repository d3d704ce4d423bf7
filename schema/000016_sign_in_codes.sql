-- The one-time codes of links to the dashboard. The table has the hash of each code alone, and the
-- code is useless without the secret that signs tokens: a reader of the table cannot sign in.

CREATE TABLE IF NOT EXISTS public.vm_sign_in_codes (
  code_sha256 BYTEA PRIMARY KEY,
  role TEXT NOT NULL,
  sub TEXT NOT NULL,
  ttl_seconds INTEGER NOT NULL, -- how long the token lasts that the code is exchanged for
  expires_at TIMESTAMPTZ NOT NULL
);

DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS holder
    FROM pg_catalog.pg_class, aclexplode(relacl)
    WHERE oid = 'public.vm_sign_in_codes'::regclass AND grantee <> relowner
  LOOP
    EXECUTE format('REVOKE ALL ON public.vm_sign_in_codes FROM %s CASCADE', granted.holder);
  END LOOP;
  EXECUTE format('ALTER TABLE public.vm_sign_in_codes OWNER TO %s',
    (SELECT relowner::regrole FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass));
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
