// Checks what others may do with the functions on vms, and whether row security hides rows.

import { takeOnlyRow } from '../session.js';
import { checkGrants } from './grants.js';
import type { Finding, CheckContext } from './finding.js';

/**
 * Trigger functions on vms that run with their owner's rights and that another role may attach to a
 * table of its own; and tables of ours with row security.
 */
const RIGHTS = `
  SELECT ARRAY(SELECT DISTINCT format('REVOKE ALL ON FUNCTION %s FROM %s', p.oid::regprocedure,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
      FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = tgfoid,
        LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner)))
      WHERE tgrelid = to_regclass('public.vms') AND prosecdef AND grantee <> proowner
      ORDER BY 1) AS revokes,
    ARRAY(SELECT DISTINCT p.oid::regprocedure::text
      FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = tgfoid,
        LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner)))
      WHERE tgrelid = to_regclass('public.vms') AND prosecdef AND grantee <> proowner
      ORDER BY 1) AS functions,
    ARRAY(SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
      WHERE relnamespace = 'public'::regnamespace AND relrowsecurity
        AND (relname = ANY ('{vms,gateways,lablink_migrations}') OR relname LIKE 'vm\\_%')
      ORDER BY 1) AS secured`;

/** Runs both checks with one query. */
export async function checkRights({ session }: CheckContext): Promise<Finding[]> {
  const { functions, secured, revokes } = takeOnlyRow(
    await session.query<{ functions: string[]; secured: string[]; revokes: string[] }>(RIGHTS),
  );
  return [
    ...(functions.length === 0
      ? []
      : [{ ...createFunctionsFinding(functions), statements: revokes }]),
    ...(secured.length === 0 ? [] : [createRowSecurityFinding(secured)]),
    ...(await checkGrants(session)),
  ];
}

const createFunctionsFinding = (functions: readonly string[]): Finding => ({
  id: 'functions_public',
  severity: 'error',
  explanation: `Other roles may attach functions that run with the owner's rights to tables of their own, and so act as the owner: ${functions.join(', ')}.`,
  remedy: `REVOKE ALL ON FUNCTION ${functions.join(', ')} FROM PUBLIC, and from each other role that SELECT proacl FROM pg_proc shows.`,
});

const createRowSecurityFinding = (tables: readonly string[]): Finding => ({
  id: 'row_security',
  severity: 'error',
  explanation: `Row security may hide rows from the gateways, which then report them as deleted: ${tables.join(', ')}.`,
  remedy: tables.map((table) => `ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY`).join('; '),
});
