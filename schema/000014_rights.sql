-- Rights on the objects of the migrations; retention in steps of bounded time; and the assignments
-- that a first installation finds.

LOCK TABLE public.vms IN ACCESS EXCLUSIVE MODE;

-- Attached to a temporary table, whose types and casts are its owner's code, a trigger function
-- would run that code with the rights of the owner of vms. Firing a trigger needs no right to its
-- function; attaching one needs EXECUTE. All other roles lose it too, even if a grant or a default
-- privilege gave it to them. Functions that only read run with the reader's own rights: every role
-- may execute them, whatever the default privileges of the database say.
DO $$
DECLARE
  internal CONSTANT text[] := '{stamp_vm,send_vm_changes,record_vm_event,record_vm_truncation,notify_vm_changes,'
    'notify_vm_removed,notify_vm_read,notify_vm_row,record_vm_row,vm_row_text,vm_row_json,vm_stamp,make_vm_assignment_id}';
  granted record;
BEGIN
  FOR granted IN
    SELECT p.oid::regprocedure AS name, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS holder
    FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner)))
    WHERE pronamespace = 'public'::regnamespace AND proname = ANY (internal) AND grantee <> proowner
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE', granted.name, granted.holder);
  END LOOP;
  FOR granted IN
    SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS holder
    FROM pg_class, aclexplode(relacl)
    WHERE oid = 'public.vm_keys'::regclass AND grantee <> relowner
  LOOP
    EXECUTE format('REVOKE ALL ON public.vm_keys FROM %s CASCADE', granted.holder);
  END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION public.read_vms(text[]), public.read_vm_presence(text[]), public.vm_text(public.vms) TO PUBLIC;

-- Among the assignments that stood before the gateway came, those that it must not start again.
ALTER TABLE public.vm_deliveries ADD COLUMN IF NOT EXISTS adopted_at TIMESTAMPTZ;

-- Only in a first installation, whose migrations are one transaction, and only what that
-- transaction has recorded: what an existing one has not delivered yet is still to be delivered.
DO $$
BEGIN
  IF EXISTS (SELECT FROM public.lablink_migrations WHERE number = 10 AND applied_at = now()) THEN
    UPDATE public.vm_deliveries SET adopted_at = now(), acknowledged_at = now()
    WHERE acknowledged_at IS NULL AND made_at IS NULL AND xmin = pg_current_xact_id()::xid;
  END IF;
EXCEPTION WHEN undefined_table THEN NULL; -- applied by hand, without a record
END $$;

-- Retention, in small steps: deletes events older than that, among the `most` first ones, and
-- returns their number. Call it until it returns 0. It runs with the caller's rights: a role that
-- may not delete events may not do so through it either. The ids come as an array, so that no
-- estimate of `most` can lead to a plan that reads the whole table.
CREATE OR REPLACE FUNCTION public.prune_vm_events(older_than interval, most integer DEFAULT 1000)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
  pruned integer;
BEGIN
  DELETE FROM public.vm_events WHERE id = ANY (ARRAY(
    SELECT id FROM (SELECT id, at FROM public.vm_events ORDER BY id LIMIT most) first
    WHERE at < now() - older_than));
  GET DIAGNOSTICS pruned = ROW_COUNT;
  RETURN pruned;
END $$;
REVOKE ALL ON FUNCTION public.prune_vm_events(interval, integer) FROM PUBLIC;

-- The oldest deliveries stand together, because made_at is never changed: a summary of a few
-- kilobytes finds them, and costs an assignment nothing.
CREATE INDEX IF NOT EXISTS idx_vm_deliveries_made_at
  ON public.vm_deliveries USING brin (made_at) WITH (autosummarize = on);

CREATE OR REPLACE FUNCTION public.prune_vm_deliveries(older_than interval, most integer DEFAULT 1000)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
  pruned integer;
BEGIN
  DELETE FROM public.vm_deliveries WHERE assignment_id = ANY (ARRAY(
    SELECT assignment_id FROM public.vm_deliveries d
    WHERE (made_at < now() - older_than
        OR made_at IS NULL AND coalesce(acknowledged_at, '-infinity') < now() - older_than)
      AND NOT EXISTS (SELECT FROM public.vms v WHERE v.assignment_id = d.assignment_id)
    LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS pruned = ROW_COUNT;
  RETURN pruned;
END $$;
REVOKE ALL ON FUNCTION public.prune_vm_deliveries(interval, integer) FROM PUBLIC;

DO $$
DECLARE
  owner regrole := (SELECT relowner FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass);
BEGIN
  EXECUTE format('ALTER FUNCTION public.prune_vm_events(interval, integer) OWNER TO %s', owner);
  EXECUTE format('ALTER FUNCTION public.prune_vm_deliveries(interval, integer) OWNER TO %s', owner);
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
