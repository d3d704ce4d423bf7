-- Which agents are there. A gateway writes only the rows of vm_presence that carry its own name, and they count only
-- while its lease in `gateways` lasts, by the clock of the database: so one that was killed needs nobody to clean up
-- after it, and what it still had on the way does no harm.

CREATE TABLE IF NOT EXISTS public.gateways (
  instance TEXT PRIMARY KEY, -- a gateway that lost its lease goes on under another name
  ready_since TIMESTAMPTZ NOT NULL DEFAULT now(),
  renewed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  lease_until TIMESTAMPTZ NOT NULL,
  complete_until TIMESTAMPTZ NOT NULL DEFAULT now() -- up to then vm_presence has all that it saw
);

CREATE TABLE IF NOT EXISTS public.vm_presence (
  hostname TEXT NOT NULL,
  gateway TEXT NOT NULL REFERENCES public.gateways ON DELETE CASCADE,
  online BOOLEAN NOT NULL,
  since TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (hostname, gateway)
);
CREATE INDEX IF NOT EXISTS idx_vm_presence_gateway ON public.vm_presence (gateway);

-- Removes what tells nothing any more, at most so many rows: those of an agent that is away, or was with a gateway
-- that is no more, once a later row of its hostname stands; and any after that time. Says how many.
CREATE OR REPLACE FUNCTION public.prune_vm_presence(older_than interval, most integer DEFAULT 1000)
RETURNS integer
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
  WITH ended AS (
    SELECT p.hostname, p.gateway, CASE WHEN p.online THEN g.lease_until ELSE p.since END AS at
    FROM public.vm_presence p JOIN public.gateways g ON g.instance = p.gateway
    WHERE NOT p.online OR g.lease_until < now() - interval '1 hour'
  ), pruned AS (
    DELETE FROM public.vm_presence p USING (
      SELECT * FROM ended e
      WHERE at < now() - older_than OR at < now() - interval '1 hour' AND EXISTS (
        SELECT FROM public.vm_presence later JOIN public.gateways g ON g.instance = later.gateway
        WHERE later.hostname = e.hostname AND later.gateway <> e.gateway
          AND (later.since > e.at OR later.online AND g.lease_until > now()))
      LIMIT most
    ) e, public.gateways g
    WHERE p.hostname = e.hostname AND p.gateway = e.gateway AND g.instance = p.gateway
      AND (NOT p.online OR g.lease_until < now() - interval '1 hour')
    RETURNING 1
  ), dead AS (
    DELETE FROM public.gateways g
    WHERE g.lease_until < now() - interval '1 hour'
      AND NOT EXISTS (SELECT FROM public.vm_presence p WHERE p.gateway = g.instance)
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM pruned)::integer + (SELECT count(*) FROM dead)::integer
$$;
REVOKE ALL ON FUNCTION public.prune_vm_presence(interval, integer) FROM PUBLIC;

-- They belong to the owner of vms, who would otherwise have no right to them.
DO $$
DECLARE
  owner regrole := (SELECT relowner FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass);
BEGIN
  EXECUTE format('ALTER TABLE public.gateways OWNER TO %s', owner);
  EXECUTE format('ALTER TABLE public.vm_presence OWNER TO %s', owner);
  EXECUTE format('ALTER FUNCTION public.prune_vm_presence(interval, integer) OWNER TO %s', owner);
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
