// The rows of a load test. Their hostnames are numbers with a prefix, and each row carries the time
// of its change. A load test never touches other rows.

import type { ClientBase } from 'pg';

/** The content of the table, by row number. */
export interface TableState {
  readonly versions: readonly number[];
  readonly sentUs: readonly number[];
}

const PREFIX = 'loadtest-';
/** The SQL condition for the rows of a load test. */
export const OWN_ROWS = `hostname LIKE '${PREFIX}%'`;

export function formatHostname(row: number): string {
  return PREFIX + String(row).padStart(5, '0');
}

export function parseRowNumber(hostname: string): number {
  return Number(hostname.slice(PREFIX.length));
}

/**
 * Formats the time of a change as an email address. `email` is the only column that agents and
 * dashboards both see and that has no other effect.
 */
export function formatStamp(sentUs: number): string {
  return `${Math.round(sentUs)}@loadtest.test`;
}

/** Returns 0 for a row without a time. */
export function parseSentUs(email: string | null): number {
  return email === null ? 0 : Number.parseInt(email, 10);
}

/** Counts the rows of load tests, and all others. */
export async function countRows(client: ClientBase): Promise<{ others: number; own: number }> {
  const { rows } = await client.query<{ others: string; own: string }>(
    `SELECT count(*) FILTER (WHERE NOT ${OWN_ROWS}) AS others, count(*) FILTER (WHERE ${OWN_ROWS}) AS own
     FROM public.vms`,
  );
  return { others: Number(rows[0]?.others), own: Number(rows[0]?.own) };
}

/** Inserts `count` rows as in a workshop: assigned, with a command of usual length. */
export async function insertRows(client: ClientBase, count: number): Promise<void> {
  const command = `DISPLAY= /opt/google/chrome-remote-desktop/start-host --code="${'4/0A'.repeat(16)}"`;
  const hostnames = Array.from({ length: count }, (_, row) => formatHostname(row));
  await client.query(
    `INSERT INTO public.vms (hostname, email, status, crd_command)
     SELECT hostname, $2, 'in-use', $3 FROM unnest($1::text[]) AS hostname`,
    [hostnames, formatStamp(0), command],
  );
}

export async function removeRows(client: ClientBase): Promise<void> {
  await client.query(`DELETE FROM public.vms WHERE ${OWN_ROWS}`);
}

/** Reads the state that all clients must end with. */
export async function readTable(client: ClientBase): Promise<TableState> {
  const { rows } = await client.query<{ version: string; email: string | null }>(
    `SELECT version, email FROM public.vms WHERE ${OWN_ROWS} ORDER BY length(hostname), hostname COLLATE "C"`,
  );
  return {
    versions: rows.map(({ version }) => Number(version)),
    sentUs: rows.map(({ email }) => parseSentUs(email)),
  };
}
