// The rows of a load test: hostnames that are numbers behind a prefix of their own, and the moment of a change carried
// in its row. Rows of others are never touched.

import type { ClientBase } from 'pg';

/** What the table holds, by row number. */
export interface TableState {
  readonly versions: readonly number[];
  readonly sentUs: readonly number[];
}

const PREFIX = 'loadtest-';
/** Those that a load test made, in SQL. */
export const OWN_ROWS = `hostname LIKE '${PREFIX}%'`;

export function hostnameOf(row: number): string {
  return PREFIX + String(row).padStart(5, '0');
}

export function rowOf(hostname: string): number {
  return Number(hostname.slice(PREFIX.length));
}

/** The moment a change was sent, as an email: the one free column that agents and dashboards both see. */
export function stampOf(sentUs: number): string {
  return `${Math.round(sentUs)}@loadtest.test`;
}

/** 0 of a row that was never stamped. */
export function sentUsOf(email: string | null): number {
  return email === null ? 0 : Number.parseInt(email, 10);
}

/** How many rows there are that no load test made, and how many that one made. */
export async function countRows(client: ClientBase): Promise<{ others: number; own: number }> {
  const { rows } = await client.query<{ others: string; own: string }>(
    `SELECT count(*) FILTER (WHERE NOT ${OWN_ROWS}) AS others, count(*) FILTER (WHERE ${OWN_ROWS}) AS own
     FROM public.vms`,
  );
  return { others: Number(rows[0]?.others), own: Number(rows[0]?.own) };
}

/** Makes `count` rows as a workshop has them: assigned, with a command of usual length. */
export async function seed(client: ClientBase, count: number): Promise<void> {
  const command = `DISPLAY= /opt/google/chrome-remote-desktop/start-host --code="${'4/0A'.repeat(16)}"`;
  const hostnames = Array.from({ length: count }, (_, row) => hostnameOf(row));
  await client.query(
    `INSERT INTO public.vms (hostname, email, status, crd_command)
     SELECT hostname, $2, 'in-use', $3 FROM unnest($1::text[]) AS hostname`,
    [hostnames, stampOf(0), command],
  );
}

export async function removeRows(client: ClientBase): Promise<void> {
  await client.query(`DELETE FROM public.vms WHERE ${OWN_ROWS}`);
}

/** Reads what everyone must end at. */
export async function readTable(client: ClientBase): Promise<TableState> {
  const { rows } = await client.query<{ version: string; email: string | null }>(
    `SELECT version, email FROM public.vms WHERE ${OWN_ROWS} ORDER BY length(hostname), hostname COLLATE "C"`,
  );
  return {
    versions: rows.map(({ version }) => Number(version)),
    sentUs: rows.map(({ email }) => sentUsOf(email)),
  };
}
