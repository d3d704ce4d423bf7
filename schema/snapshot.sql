-- Describes everything in the schema public from the catalogs, a line each, so that databases can
-- be compared: snapshot.txt is the description of a migrated one. PostgreSQL 13 to 18 give the
-- same: the column states NOT NULL, though 18 lists it among the constraints too.

SET search_path = '';

WITH relations AS (
  SELECT oid, relname, relkind, relacl FROM pg_catalog.pg_class
  WHERE relnamespace = 'public'::regnamespace
), lines AS (
  SELECT 'column' AS kind, relname AS name, attnum AS position,
    concat_ws(' ', quote_ident(relname) || '.' || quote_ident(attname),
      format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
      'DEFAULT ' || pg_get_expr(adbin, adrelid)) AS line
  FROM relations
  JOIN pg_catalog.pg_attribute ON attrelid = relations.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_catalog.pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE relkind IN ('r', 'p')
  UNION ALL
  SELECT 'constraint', conname, 0,
    concat_ws(' ', quote_ident(relname) || '.' || quote_ident(conname),
      pg_get_constraintdef(pg_constraint.oid))
  FROM relations JOIN pg_catalog.pg_constraint ON conrelid = relations.oid
  WHERE contype <> 'n'
  UNION ALL
  SELECT 'index', relname, 0, pg_get_indexdef(oid)
  FROM relations WHERE relkind IN ('i', 'I')
  UNION ALL
  SELECT 'trigger', tgname, 0,
    concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), CASE tgenabled
      WHEN 'A' THEN '(always)' WHEN 'R' THEN '(replica)' WHEN 'D' THEN '(disabled)' END)
  FROM relations JOIN pg_catalog.pg_trigger ON tgrelid = relations.oid
  WHERE NOT tgisinternal
  UNION ALL
  SELECT 'function', proname, 0,
    concat_ws(' ', proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
      'RETURNS', pg_get_function_result(p.oid), 'LANGUAGE', lanname,
      CASE provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
      'SECURITY', CASE WHEN prosecdef THEN 'DEFINER' ELSE 'INVOKER' END,
      'SET ' || array_to_string(proconfig, '; '), 'BODY', CASE current_setting('server_encoding')
        WHEN 'SQL_ASCII' THEN md5(replace(prosrc, E'\r', ''))
        ELSE md5(convert_to(replace(prosrc, E'\r', ''), 'UTF8')) END,
      (SELECT 'GRANT ' || string_agg(privilege_type, ', ') || ' TO PUBLIC'
       FROM pg_catalog.aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0))
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = prolang
  WHERE pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'sequence', relname, 0,
    concat_ws(' ', relname, 'AS', format_type(seqtypid, NULL), 'INCREMENT', seqincrement,
      'MINVALUE', seqmin, 'MAXVALUE', seqmax, 'CACHE', seqcache, CASE WHEN seqcycle THEN 'CYCLE' END,
      (SELECT 'GRANT ' || string_agg(privilege_type, ', ') || ' TO PUBLIC'
       FROM pg_catalog.aclexplode(relacl) WHERE grantee = 0))
  FROM relations JOIN pg_catalog.pg_sequence ON seqrelid = oid
)
SELECT kind || ' ' || line AS line FROM lines ORDER BY kind COLLATE "C", name, position, line COLLATE "C";
