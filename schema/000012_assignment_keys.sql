-- The key with which the stamp trigger authenticates the assignments that it makes. Any role that
-- may connect may send a notification. A gateway that holds the key can distinguish an assignment
-- of the table from a forged one.

-- The table has one row. The pads are the key XORed with 0x36 and 0x5c (HMAC, RFC 2104), so that no
-- write computes them again.
CREATE TABLE IF NOT EXISTS public.vm_keys (
  id SMALLINT PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  key BYTEA NOT NULL CHECK (octet_length(key) = 32),
  inner_pad BYTEA NOT NULL CHECK (octet_length(inner_pad) = 64),
  outer_pad BYTEA NOT NULL CHECK (octet_length(outer_pad) = 64),
  made_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- 366 bits of PostgreSQL's strong random numbers, as 32 bytes.
DO $$
DECLARE
  key CONSTANT bytea := sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
  padded CONSTANT bytea := key || decode(repeat('00', 32), 'hex');
  inner_pad bytea := padded;
  outer_pad bytea := padded;
BEGIN
  FOR n IN 0..63 LOOP
    inner_pad := set_byte(inner_pad, n, get_byte(padded, n) # 54);
    outer_pad := set_byte(outer_pad, n, get_byte(padded, n) # 92);
  END LOOP;
  INSERT INTO public.vm_keys (key, inner_pad, outer_pad) VALUES (key, inner_pad, outer_pad)
  ON CONFLICT (id) DO NOTHING; -- a key that is there stays: assignments carry it
END $$;

-- A UUID of version 8 (RFC 9562) that authenticates an assignment; schema/README.md has its layout.
-- Lengths are counted in code points. It is called with the search_path of the writer and the
-- rights of the owner, so it calls nothing by a name without its schema. It may raise: its callers
-- then make a random one.
CREATE OR REPLACE FUNCTION public.make_vm_assignment_id(
  hostname pg_catalog.text, email pg_catalog.text, crd_command pg_catalog.text, version bigint)
RETURNS pg_catalog.uuid
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  random CONSTANT pg_catalog.text := pg_catalog.substr(pg_catalog.gen_random_uuid()::pg_catalog.text, 1, 4);
  inner_key pg_catalog.bytea;
  outer_key pg_catalog.bytea;
  mac pg_catalog.bytea;
BEGIN
  SELECT k.inner_pad, k.outer_pad INTO inner_key, outer_key FROM public.vm_keys k LIMIT 1;
  mac := pg_catalog.sha256(outer_key OPERATOR(pg_catalog.||) pg_catalog.sha256(
    inner_key OPERATOR(pg_catalog.||) pg_catalog.convert_to(
      version::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||)
      random OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||)
      pg_catalog.length(hostname)::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||)
      coalesce(pg_catalog.length(email)::pg_catalog.text, '-') OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||)
      coalesce(pg_catalog.length(crd_command)::pg_catalog.text, '-') OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||)
      hostname OPERATOR(pg_catalog.||) coalesce(email, '') OPERATOR(pg_catalog.||) coalesce(crd_command, ''), 'UTF8')));
  -- Without a key or a hostname there is no mac, and a random one.
  RETURN coalesce((
    pg_catalog.lpad(pg_catalog.to_hex(version OPERATOR(pg_catalog.&) 281474976710655::bigint), 12, '0')
    OPERATOR(pg_catalog.||) '8' OPERATOR(pg_catalog.||) pg_catalog.substr(random, 1, 3) OPERATOR(pg_catalog.||)
    pg_catalog.substr('89ab', (pg_catalog.get_byte(mac, 7) OPERATOR(pg_catalog.&) 3) OPERATOR(pg_catalog.+) 1, 1)
    OPERATOR(pg_catalog.||) pg_catalog.substr(random, 4, 1) OPERATOR(pg_catalog.||)
    pg_catalog.encode(pg_catalog.substr(mac, 1, 7), 'hex'))::pg_catalog.uuid, pg_catalog.gen_random_uuid());
END $$;

DO $$
DECLARE
  owner regrole := (SELECT relowner FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass);
BEGIN
  EXECUTE format('ALTER TABLE public.vm_keys OWNER TO %s', owner);
  EXECUTE format('ALTER FUNCTION public.make_vm_assignment_id(text, text, text, bigint) OWNER TO %s', owner);
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
