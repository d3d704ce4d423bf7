-- The checks before any migration is applied, in the same transaction. Migrations keep a table that
-- exists, and what they make belongs to the owner of vms. So an object that another role has put
-- under a name of ours would act with the rights of that owner, or of the role that migrates: it is
-- refused by name. A table vms that lacks a column which the migrations need is refused too, before
-- anything is changed.

DO $$
DECLARE
  tables CONSTANT text[] := '{gateways,lablink_migrations,vm_deliveries,vm_enrolments,vm_events,vm_keys,vm_presence,'
    'vm_token_revocations,vm_sign_in_codes}';
  sequences CONSTANT text[] := '{vms_version_seq}';
  -- Not notify_vm_changes(), which others may well have made: the migrations replace all of it.
  functions CONSTANT text[] := '{stamp_vm,notify_vm_read,notify_vm_removed,record_vm_event,record_vm_truncation,'
    'record_vm_delivery,read_vms,vm_text,read_vm_presence,prune_vm_events,prune_vm_presence,prune_vm_deliveries,'
    'send_vm_changes,make_vm_assignment_id,vm_row_text,vm_row_json,vm_stamp,record_vm_row,notify_vm_row}';
  vms CONSTANT oid := to_regclass('public.vms');
  owner CONSTANT oid := coalesce(
    (SELECT relowner FROM pg_class WHERE oid = vms),
    (SELECT datdba FROM pg_database WHERE datname = current_database())
  );
  missing text;
  planted text;
BEGIN
  IF vms IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = vms AND attname = 'assignment_id' AND NOT attisdropped
  ) THEN
    missing := (
      SELECT string_agg(name, ', ')
      FROM unnest('{id,hostname,email,status,crd_command,created_at,updated_at}'::text[]) AS name
      WHERE NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = vms AND attname = name AND attnum > 0 AND NOT attisdropped)
    );
    IF missing IS NOT NULL THEN
      RAISE EXCEPTION 'the table vms lacks %, and nothing has been changed', missing
        USING ERRCODE = 'undefined_column', HINT = 'Add the column, or give it that name again, then migrate again.';
    END IF;
  END IF;

  -- Superusers, the owner of vms (of the database where there is no vms yet), and the roles that
  -- may act as that owner are trusted.
  SELECT string_agg(DISTINCT object || ' of ' || holder::regrole, ', ') INTO planted
  FROM (
    SELECT format('%s public.%I', CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'relation' END, relname),
      relowner
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname = ANY (tables || sequences)
    UNION ALL
    SELECT format('function public.%I()', proname), proowner
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY (functions)
    UNION ALL
    SELECT format('trigger %I on %s, whose function is', tgname, tgrelid::regclass), proowner
    FROM pg_trigger
    JOIN pg_class c ON c.oid = tgrelid
    JOIN pg_proc p ON p.oid = tgfoid
    WHERE relnamespace = 'public'::regnamespace AND relname = ANY (tables)
    UNION ALL
    -- The functions that a table's defaults, checks, policies, rules and indexes call run with the
    -- rights of the role that writes to it.
    SELECT format('function %s, which public.%I uses, ', p.oid::regprocedure, relname), proowner
    FROM pg_class c
    JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass
      AND (d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = c.oid)
        OR d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT oid FROM pg_constraint WHERE conrelid = c.oid)
        OR d.classid = 'pg_policy'::regclass AND d.objid IN (SELECT oid FROM pg_policy WHERE polrelid = c.oid)
        OR d.classid = 'pg_rewrite'::regclass AND d.objid IN (SELECT oid FROM pg_rewrite WHERE ev_class = c.oid)
        OR d.classid = 'pg_class'::regclass AND d.objid IN (SELECT indexrelid FROM pg_index WHERE indrelid = c.oid))
    JOIN pg_proc p ON p.oid = d.refobjid
    WHERE relnamespace = 'public'::regnamespace AND relname = ANY (tables)
    UNION ALL
    SELECT format('type %s of public.%I.%I', t.oid::regtype, relname, attname), typowner
    FROM pg_attribute
    JOIN pg_class c ON c.oid = attrelid
    JOIN pg_type t ON t.oid = atttypid
    WHERE relnamespace = 'public'::regnamespace AND relname = ANY (tables) AND attnum > 0 AND NOT attisdropped
  ) AS found (object, holder)
  WHERE NOT pg_has_role(holder, owner, 'MEMBER') AND holder <> current_user::regrole
    AND NOT EXISTS (SELECT FROM pg_roles WHERE oid = holder AND rolsuper);
  IF planted IS NOT NULL THEN
    RAISE EXCEPTION 'objects under names that lablink-gateway uses belong to others: %', planted
      USING HINT = 'Drop or rename them, or give those that are yours to the owner of vms, then migrate again.';
  END IF;
END $$;
