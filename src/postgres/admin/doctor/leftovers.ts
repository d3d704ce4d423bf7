// Checks for what stays behind and grows: scratch databases of killed commands, and an audit that
// nothing prunes.

import pg from 'pg';
import { buildRunningCondition } from '../backup-lock.js';
import { parseScratchName, SCRATCH_PATTERN } from '../scratch-name.js';
import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';

const DAY_MS = 86_400_000;
/** Retention runs every few minutes, or once a day. */
const TOLERATED_DAYS = 3;
const AUDIT_BYTES = 10 * 1_073_741_824;

/** Runs both checks. */
export async function checkLeftovers(context: CheckContext): Promise<Finding[]> {
  return [...(await checkScratchDatabases(context)), ...(await checkAudit(context))];
}

/** Every role may read the names of databases and the locks. A session shows that one is in use. */
const SCRATCHES = `
  SELECT datname AS name FROM pg_catalog.pg_database
  WHERE datname LIKE $1
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = pg_database.oid)
    AND NOT coalesce(${buildRunningCondition(`substring(datname from '^lablink_scratch_([0-9]+)_')::oid`)}, false)
  ORDER BY 1`;

async function checkScratchDatabases({ session, nowMs }: CheckContext): Promise<Finding[]> {
  const { rows } = await session.query<{ name: string }>(SCRATCHES, [SCRATCH_PATTERN]);
  if (rows.length === 0) return [];
  const names = rows.map(({ name }) => {
    const madeAt = parseScratchName(name)?.madeAt;
    if (madeAt === undefined) return name;
    return `${name} (${Math.max(0, Math.round((nowMs() - madeAt.getTime()) / 3_600_000))} h old)`;
  });
  return [
    {
      id: 'scratch_left',
      severity: 'warning',
      explanation: `Full copies of a database are left by commands that were killed: ${names.join(', ')}.`,
      remedy: `The next "lablink-gateway db backup" of the copied database removes them; or DROP DATABASE ${rows[0]?.name ?? ''}.`,
      statements: rows.map(({ name }) => `DROP DATABASE ${pg.escapeIdentifier(name)}`),
    },
  ];
}

interface AuditRow {
  readonly bytes: number;
  readonly oldest: Date | null;
}

/** The events are in the order of their ids, so the first is the oldest, or nearly. */
const AUDIT = `
  SELECT pg_total_relation_size('public.vm_events')::float8 AS bytes,
    (SELECT at FROM public.vm_events ORDER BY id LIMIT 1) AS oldest`;

async function checkAudit({ session, nowMs, auditDays }: CheckContext): Promise<Finding[]> {
  const { there } = takeOnlyRow(
    await session.query<{ there: boolean }>(
      `SELECT to_regclass('public.vm_events') IS NOT NULL AS there`,
    ),
  );
  if (!there) return [];
  const { bytes, oldest } = takeOnlyRow(await session.query<AuditRow>(AUDIT));
  const ageDays = oldest === null ? 0 : (nowMs() - oldest.getTime()) / DAY_MS;
  const gigabytes = (bytes / 1_073_741_824).toFixed(1);
  return [
    ...(auditDays > 0 && ageDays > auditDays + TOLERATED_DAYS
      ? [createUnprunedFinding(Math.round(ageDays), auditDays, gigabytes)]
      : []),
    ...(bytes > AUDIT_BYTES ? [createLargeFinding(gigabytes)] : []),
  ];
}

const createUnprunedFinding = (age: number, days: number, gigabytes: string): Finding => ({
  id: 'audit_unpruned',
  severity: 'warning',
  explanation: `The audit (${gigabytes} GB) has events of ${age} days, though AUDIT_DAYS is ${days}: no gateway may remove them, or none runs.`,
  remedy: 'Run "lablink-gateway db prune" as the owner each day, as the shipped backup jobs do.',
});

const createLargeFinding = (gigabytes: string): Finding => ({
  id: 'audit_large',
  severity: 'warning',
  explanation: `The audit has ${gigabytes} GB, and every backup contains it.`,
  remedy:
    'Lower AUDIT_DAYS, or run "lablink-gateway db prune --days N" as the owner. Space returns with "db vacuum --full", which locks.',
});
