-- What a change of vms says, and to which channel. vm_updates carries rows, exactly row_to_json(NEW),
-- and nothing else, so that whoever listens to it goes on working. vm_changes carries what a row
-- cannot say: {"op":"read","hostname":...}, read this row, and {"op":"read"}, read them all.
-- No payload reaches 8,000 bytes, where pg_notify would raise and abort the change.

LOCK TABLE public.vms IN ACCESS EXCLUSIVE MODE;

CREATE OR REPLACE FUNCTION public.notify_vm_read(hostname text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  notice text := '{"op":"read","hostname":' || pg_catalog.to_json(hostname)::text || '}';
BEGIN
  IF notice IS NULL OR pg_catalog.octet_length(notice) >= 8000 THEN
    notice := '{"op":"read"}';
  END IF;
  PERFORM pg_catalog.pg_notify('vm_changes', notice);
END $$;

-- The settings are those that change how row_to_json writes a value: a row reads the same whoever
-- wrote it.
CREATE OR REPLACE FUNCTION public.notify_vm_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
SET "DateStyle" = 'ISO, YMD'
SET "IntervalStyle" = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET lc_monetary = 'C'
SET quote_all_identifiers = off
AS $$
DECLARE
  old_hostname text;
  new_hostname text;
  row_text text;
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.version IS NOT DISTINCT FROM OLD.version
    AND NOT pg_catalog.record_image_ne(OLD, NEW) THEN
    RETURN NULL;
  END IF;

  -- Without a version of its own (vm_stamp_trigger is disabled) a row cannot be put in order.
  IF NEW.version IS DISTINCT FROM OLD.version THEN
    BEGIN
      row_text := pg_catalog.row_to_json(NEW)::text;
    EXCEPTION WHEN OTHERS THEN -- a type whose cast to json raises, a text beyond 1 GB
      row_text := NULL;
    END;
  END IF;

  BEGIN
    old_hostname := OLD.hostname;
    new_hostname := NEW.hostname;
  EXCEPTION WHEN datatype_mismatch THEN
    -- A session keeps the plans it made before an ALTER COLUMN ... TYPE; this is planned anew.
    EXECUTE 'SELECT ($1).hostname, ($2).hostname' INTO old_hostname, new_hostname USING OLD, NEW;
  END;

  IF pg_catalog.octet_length(row_text) < 8000 THEN
    PERFORM pg_catalog.pg_notify('vm_updates', row_text);
  ELSE
    PERFORM public.notify_vm_read(new_hostname);
  END IF;
  IF TG_OP = 'UPDATE' AND old_hostname IS DISTINCT FROM new_hostname THEN
    PERFORM public.notify_vm_read(old_hostname);
  END IF;
  RETURN NULL;
END $$;

-- A function of its own for DELETE and TRUNCATE: notify_vm_changes() is a name that others know and
-- may define again, for rows that are there.
CREATE OR REPLACE FUNCTION public.notify_vm_removed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  hostname text;
BEGIN
  IF TG_OP = 'DELETE' THEN
    BEGIN
      hostname := OLD.hostname;
    EXCEPTION WHEN datatype_mismatch THEN -- as above
      EXECUTE 'SELECT ($1).hostname' INTO hostname USING OLD;
    END;
  END IF;
  PERFORM public.notify_vm_read(hostname); -- TRUNCATE: NULL, all of them
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS vm_update_trigger ON public.vms;
CREATE TRIGGER vm_update_trigger
  AFTER INSERT OR UPDATE ON public.vms
  FOR EACH ROW EXECUTE FUNCTION public.notify_vm_changes();
ALTER TABLE public.vms ENABLE ALWAYS TRIGGER vm_update_trigger;

DROP TRIGGER IF EXISTS vm_delete_trigger ON public.vms;
CREATE TRIGGER vm_delete_trigger
  AFTER DELETE ON public.vms
  FOR EACH ROW EXECUTE FUNCTION public.notify_vm_removed();
ALTER TABLE public.vms ENABLE ALWAYS TRIGGER vm_delete_trigger;

DROP TRIGGER IF EXISTS vm_truncate_trigger ON public.vms;
CREATE TRIGGER vm_truncate_trigger
  AFTER TRUNCATE ON public.vms
  FOR EACH STATEMENT EXECUTE FUNCTION public.notify_vm_removed();
ALTER TABLE public.vms ENABLE ALWAYS TRIGGER vm_truncate_trigger;

-- They belong to the owner of the table, as stamp_vm() does.
DO $$
DECLARE
  owner regrole := (SELECT relowner FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass);
BEGIN
  EXECUTE format('ALTER FUNCTION public.notify_vm_read(text) OWNER TO %s', owner);
  EXECUTE format('ALTER FUNCTION public.notify_vm_changes() OWNER TO %s', owner);
  EXECUTE format('ALTER FUNCTION public.notify_vm_removed() OWNER TO %s', owner);
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;
