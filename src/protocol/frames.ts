// Builds the text of server messages. The JSON text of a row enters its message unchanged; it is
// never parsed and written again.

import { SUBPROTOCOL, type ErrorCode } from './messages.js';
import { IN_USE } from './row.js';

/**
 * Builds `welcome`.
 * @param heartbeatMs how often the gateway pings, in ms
 */
export function welcomeFrame(gateway: string, heartbeatMs: number, live: boolean): string {
  return JSON.stringify({
    type: 'welcome',
    protocol: SUBPROTOCOL,
    gateway,
    heartbeat_ms: heartbeatMs,
    live,
  });
}

/**
 * Builds the message of one VM's state: `assignment` while it is in use, otherwise `status`.
 * @param row the row's JSON text
 */
export function vmFrame(status: string, row: string): string {
  return status === IN_USE ? `{"type":"assignment","vm":${row}}` : `{"type":"status","vm":${row}}`;
}

/** Builds `absent`: there is no VM of this hostname. */
export function absentFrame(hostname: string): string {
  return `{"type":"absent","hostname":${JSON.stringify(hostname)}}`;
}

/**
 * Builds one part of a snapshot.
 * @param rows JSON texts
 * @param presence JSON texts
 * @param cursor for the last part only; undefined if more parts follow
 */
export function snapshotFrame(
  rows: readonly string[],
  presence: readonly string[],
  cursor: string | undefined,
): string {
  const end = cursor === undefined ? '"more":true' : `"more":false,"cursor":"${cursor}"`;
  return `{"type":"snapshot","vms":[${rows.join(',')}],"presence":[${presence.join(',')}],${end}}`;
}

/** Builds a change for `changesFrame`: the row is new or has changed. `row` is its JSON text. */
export function upsertChange(row: string): string {
  return `{"op":"upsert","vm":${row}}`;
}

/** Builds a change for `changesFrame`: the row is deleted. */
export function deleteChange(hostname: string): string {
  return `{"op":"delete","hostname":${JSON.stringify(hostname)}}`;
}

/**
 * Builds a change for `changesFrame`: the agent's presence is new or has changed.
 * @param presence the JSON text of a `Presence` object
 */
export function presenceChange(presence: string): string {
  return `{"op":"presence",${presence.slice(1)}`;
}

/** Builds a change for `changesFrame`: the gateway no longer has a presence of this hostname. */
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

/** Builds `changes` from the texts that the functions above return. */
export function changesFrame(changes: readonly string[], cursor: string): string {
  return `{"type":"changes","changes":[${changes.join(',')}],"cursor":"${cursor}"}`;
}

/** Builds `feed`: whether the feed from the database is live. */
export function feedFrame(live: boolean): string {
  return `{"type":"feed","live":${live}}`;
}

/**
 * Builds `error`.
 * @param message for people; programs compare `code`
 */
export function errorFrame(code: ErrorCode, message: string): string {
  return JSON.stringify({ type: 'error', code, message });
}

/** The reply to a `ping` message. */
export const PONG_FRAME = '{"type":"pong"}';
