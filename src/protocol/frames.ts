// The text of server messages. A row's JSON text goes into its message as it came, never built again.

import { SUBPROTOCOL, type ErrorCode } from './messages.js';
import { IN_USE } from './row.js';

export function welcomeFrame(gateway: string, heartbeatMs: number, live: boolean): string {
  return JSON.stringify({
    type: 'welcome',
    protocol: SUBPROTOCOL,
    gateway,
    heartbeat_ms: heartbeatMs,
    live,
  });
}

/** One VM's state: `assignment` while in use, else `status`. `row` is the row's JSON text. */
export function vmFrame(status: string, row: string): string {
  return status === IN_USE ? `{"type":"assignment","vm":${row}}` : `{"type":"status","vm":${row}}`;
}

export function absentFrame(hostname: string): string {
  return `{"type":"absent","hostname":${JSON.stringify(hostname)}}`;
}

/** A part of a snapshot; the last one, and only it, carries the cursor. Rows and presence are JSON texts. */
export function snapshotFrame(
  rows: readonly string[],
  presence: readonly string[],
  cursor: string | undefined,
): string {
  const end = cursor === undefined ? '"more":true' : `"more":false,"cursor":"${cursor}"`;
  return `{"type":"snapshot","vms":[${rows.join(',')}],"presence":[${presence.join(',')}],${end}}`;
}

export function upsertChange(row: string): string {
  return `{"op":"upsert","vm":${row}}`;
}

export function deleteChange(hostname: string): string {
  return `{"op":"delete","hostname":${JSON.stringify(hostname)}}`;
}

/** @param presence the presence's JSON text, an object */
export function presenceChange(presence: string): string {
  return `{"op":"presence",${presence.slice(1)}`;
}

/** Nothing is known of this hostname's agent any more. */
export function forgetChange(hostname: string): string {
  return JSON.stringify({
    op: 'presence',
    hostname,
    online: false,
    since: null,
    duplicate: false,
    acked_assignment_id: null,
    delivery: null,
  });
}

/** `changes` are texts made by the functions above. */
export function changesFrame(changes: readonly string[], cursor: string): string {
  return `{"type":"changes","changes":[${changes.join(',')}],"cursor":"${cursor}"}`;
}

export function feedFrame(live: boolean): string {
  return `{"type":"feed","live":${live}}`;
}

export function errorFrame(code: ErrorCode, message: string): string {
  return JSON.stringify({ type: 'error', code, message });
}

export const PONG_FRAME = '{"type":"pong"}';
