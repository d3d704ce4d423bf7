-- The tokens that were revoked before their end: one token by its `jti`, or every token of a `sub`
-- that was issued up to a time. A gateway reads the list when it starts, when it is notified on
-- `vm_revocations`, and every few seconds.

CREATE TABLE IF NOT EXISTS public.vm_token_revocations (
  kind TEXT NOT NULL CHECK (kind IN ('jti', 'sub')),
  value TEXT NOT NULL,
  -- Tokens of the `sub` that were issued up to this time are revoked; a `jti` is revoked for good.
  issued_until TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at TIMESTAMPTZ NOT NULL, -- every token that the row revokes has ended by then
  revoked_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  actor TEXT,
  PRIMARY KEY (kind, value)
);

-- Default privileges may have given rights to roles that must not revoke, or undo it.
DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS holder
    FROM pg_catalog.pg_class, aclexplode(relacl)
    WHERE oid = 'public.vm_token_revocations'::regclass AND grantee <> relowner
  LOOP
    EXECUTE format('REVOKE ALL ON public.vm_token_revocations FROM %s CASCADE', granted.holder);
  END LOOP;
  EXECUTE format('ALTER TABLE public.vm_token_revocations OWNER TO %s',
    (SELECT relowner::regrole FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass));
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
