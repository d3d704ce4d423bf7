// The rows of a benchmark: hostnames that are numbers, and the moment of a change carried in its row.

import type { ClientBase } from 'pg';

/** What the table holds, by row number. */
export interface TableState {
  readonly versions: readonly number[];
  readonly sentUs: readonly number[];
}

export function hostnameOf(row: number): string {
  return `vm-${String(row).padStart(5, '0')}`;
}

export function rowOf(hostname: string): number {
  return Number(hostname.slice('vm-'.length));
}

/** The moment a change was sent, as an email: the one free column that agents and dashboards both see. */
export function stampOf(sentUs: number): string {
  return `${Math.round(sentUs)}@bench.test`;
}

/** 0 of a row that was never stamped. */
export function sentUsOf(email: string | null): number {
  return email === null ? 0 : Number.parseInt(email, 10);
}

/** Replaces the table by `count` rows as a workshop has them: assigned, with a command of usual length. */
export async function seed(client: ClientBase, count: number): Promise<void> {
  const command = `DISPLAY= /opt/google/chrome-remote-desktop/start-host --code="${'4/0A'.repeat(16)}"`;
  const hostnames = Array.from({ length: count }, (_, row) => hostnameOf(row));
  await client.query('TRUNCATE vms RESTART IDENTITY');
  await client.query(
    `INSERT INTO vms (hostname, email, status, crd_command)
     SELECT hostname, $2, 'in-use', $3 FROM unnest($1::text[]) AS hostname`,
    [hostnames, stampOf(0), command],
  );
}

/** Reads what everyone must end at. */
export async function readTable(client: ClientBase): Promise<TableState> {
  const { rows } = await client.query<{ version: string; email: string | null }>(
    'SELECT version, email FROM vms ORDER BY hostname',
  );
  return {
    versions: rows.map(({ version }) => Number(version)),
    sentUs: rows.map(({ email }) => sentUsOf(email)),
  };
}
