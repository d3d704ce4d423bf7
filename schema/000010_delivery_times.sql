-- What became of each assignment: when it was made, pushed to an agent and acknowledged, and how its command ended; and
-- how the gateway reads that together with the presence of agents.

-- The strongest lock first, as everywhere.
LOCK TABLE public.vms IN ACCESS EXCLUSIVE MODE;

ALTER TABLE public.vm_deliveries
  ADD COLUMN IF NOT EXISTS made_at TIMESTAMPTZ, -- unknown of assignments older than this column
  ADD COLUMN IF NOT EXISTS pushed_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS ended_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS outcome TEXT,
  ADD COLUMN IF NOT EXISTS exit_code INTEGER,
  ADD COLUMN IF NOT EXISTS signal TEXT,
  ALTER COLUMN acknowledged_at DROP NOT NULL,
  ALTER COLUMN acknowledged_at DROP DEFAULT;
-- Each row is changed up to three times, in columns without an index: with room beside it no index is touched.
ALTER TABLE public.vm_deliveries SET (fillfactor = 60);
CREATE INDEX IF NOT EXISTS idx_vm_deliveries_hostname ON public.vm_deliveries (hostname, made_at);

INSERT INTO public.vm_deliveries (assignment_id, hostname)
SELECT assignment_id, hostname FROM public.vms WHERE assignment_id IS NOT NULL
ON CONFLICT (assignment_id) DO NOTHING;

-- In the transaction that makes the assignment, whoever makes it. What cannot be recorded is warned of: the change
-- goes on.
CREATE OR REPLACE FUNCTION public.record_vm_delivery() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  BEGIN
    INSERT INTO public.vm_deliveries (assignment_id, hostname, made_at)
    VALUES (NEW.assignment_id, NEW.hostname, now()) ON CONFLICT (assignment_id) DO NOTHING;
  EXCEPTION WHEN datatype_mismatch THEN
    -- A session keeps the plans it made before an ALTER COLUMN ... TYPE; this is planned anew.
    EXECUTE 'INSERT INTO public.vm_deliveries (assignment_id, hostname, made_at)
      VALUES (($1).assignment_id, ($1).hostname, now()) ON CONFLICT (assignment_id) DO NOTHING' USING NEW;
  END;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'vm_deliveries lacks an assignment: %', SQLERRM;
  RETURN NULL;
END $$;

-- Conditions of the triggers, so that a change that is no assignment costs nothing.
DROP TRIGGER IF EXISTS vm_delivery_insert_trigger ON public.vms;
CREATE TRIGGER vm_delivery_insert_trigger
  AFTER INSERT ON public.vms
  FOR EACH ROW WHEN (NEW.assignment_id IS NOT NULL)
  EXECUTE FUNCTION public.record_vm_delivery();
ALTER TABLE public.vms ENABLE ALWAYS TRIGGER vm_delivery_insert_trigger;

DROP TRIGGER IF EXISTS vm_delivery_trigger ON public.vms;
CREATE TRIGGER vm_delivery_trigger
  AFTER UPDATE ON public.vms
  FOR EACH ROW WHEN (NEW.assignment_id IS DISTINCT FROM OLD.assignment_id AND NEW.assignment_id IS NOT NULL)
  EXECUTE FUNCTION public.record_vm_delivery();
ALTER TABLE public.vms ENABLE ALWAYS TRIGGER vm_delivery_trigger;

-- What is known of the agents of these hostnames, of all where NULL: `entry` is the JSON text that goes to whoever
-- watches. A hostname of which nothing is known is left out: one without agent, whose VM never had one nor an
-- assignment, or is gone.
CREATE OR REPLACE FUNCTION public.read_vm_presence(hostnames text[])
RETURNS TABLE (hostname text, online boolean, entry text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
AS $$
#variable_conflict use_column
DECLARE
  at CONSTANT timestamptz := statement_timestamp();
  utc CONSTANT text := 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';
  wanted CONSTANT text[] := coalesce(hostnames, ARRAY(
    SELECT v.hostname::text FROM public.vms v
    UNION SELECT p.hostname FROM public.vm_presence p WHERE p.online));
BEGIN
  RETURN QUERY
    SELECT w.hostname, s.gateways > 0, row_to_json(known)::text
    FROM unnest(wanted) AS w (hostname)
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE live) AS gateways, max(p.since) FILTER (WHERE live) AS online_since,
        max(CASE WHEN p.online THEN g.lease_until ELSE p.since END) FILTER (WHERE NOT live) AS away_since
      FROM public.vm_presence p JOIN public.gateways g ON g.instance = p.gateway,
        LATERAL (SELECT p.online AND g.lease_until > at AS live) l
      WHERE p.hostname = w.hostname
    ) s
    LEFT JOIN public.vms v ON v.hostname = w.hostname
    LEFT JOIN public.vm_deliveries d ON d.assignment_id = v.assignment_id
    CROSS JOIN LATERAL (
      SELECT w.hostname, s.gateways > 0 AS online,
        to_char(CASE WHEN s.gateways > 0 THEN s.online_since ELSE s.away_since END, utc) AS since,
        s.gateways > 1 AS duplicate,
        CASE WHEN d.acknowledged_at IS NOT NULL THEN d.assignment_id END AS acked_assignment_id,
        CASE WHEN d.assignment_id IS NOT NULL THEN (
          SELECT row_to_json(times) FROM (
            SELECT d.assignment_id, to_char(d.made_at, utc) AS made_at, to_char(d.pushed_at, utc) AS pushed_at,
              to_char(d.acknowledged_at, utc) AS acked_at, to_char(d.ended_at, utc) AS ended_at,
              d.outcome, d.exit_code
          ) times
        ) END AS delivery
    ) known
    WHERE s.gateways > 0 OR v.hostname IS NOT NULL AND (s.away_since IS NOT NULL OR d.assignment_id IS NOT NULL);
END $$;

-- Retention, in small steps, as prune_vm_events(): deletes what was made before that, of assignments that are no
-- longer current, at most so many, and says how many.
CREATE OR REPLACE FUNCTION public.prune_vm_deliveries(older_than interval, most integer DEFAULT 1000)
RETURNS integer
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
  WITH deleted AS (
    DELETE FROM public.vm_deliveries WHERE assignment_id IN (
      SELECT assignment_id FROM public.vm_deliveries d
      WHERE coalesce(made_at, acknowledged_at, '-infinity') < now() - older_than
        AND NOT EXISTS (SELECT FROM public.vms v WHERE v.assignment_id = d.assignment_id)
      LIMIT most FOR UPDATE SKIP LOCKED
    ) RETURNING 1
  )
  SELECT count(*)::integer FROM deleted
$$;
REVOKE ALL ON FUNCTION public.prune_vm_deliveries(interval, integer) FROM PUBLIC;

-- They belong to the owner of the table, as the functions of the other triggers do.
DO $$
DECLARE
  owner regrole := (SELECT relowner FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass);
BEGIN
  EXECUTE format('ALTER FUNCTION public.record_vm_delivery() OWNER TO %s', owner);
  EXECUTE format('ALTER FUNCTION public.read_vm_presence(text[]) OWNER TO %s', owner);
  EXECUTE format('ALTER FUNCTION public.prune_vm_deliveries(interval, integer) OWNER TO %s', owner);
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
