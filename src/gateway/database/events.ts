// Reads the audit of `vms`: each change, its time and its actor. Only the database writes the
// audit.

import { isElementError, processInHalves } from '../../postgres/isolate.js';
import type { ConnectionSource } from './connection-source.js';
import { readInPieces } from './read-in-pieces.js';
import { runReadQuery } from './transaction.js';

/** Selects a page of events. */
export interface EventQuery {
  /**
   * Selects events of the VM of this hostname, including those that renamed it from or to this
   * hostname.
   */
  readonly hostname: string | undefined;
  /** Selects events that assigned a VM to this person, or released it. */
  readonly email: string | undefined;
  readonly limit: number;
  /** The page begins before this `id`. */
  readonly before: string | undefined;
}

/** A page of events. */
export interface EventPage {
  /** The JSON texts of the events, the latest first. */
  readonly events: readonly string[];
  /** The `before` of the next page; undefined at the end. */
  readonly next: string | undefined;
}

/** An event as JSON. Times are ISO 8601 in UTC, independently of the settings of the session. */
const EVENT = `
  json_build_object('id', id, 'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'op', op, 'hostname', hostname, 'old_hostname', old_hostname, 'assignment_id', assignment_id,
    'old_status', old_status, 'new_status', new_status, 'old_email', old_email, 'new_email', new_email,
    'crd_command_changed', crd_command_changed, 'version', version, 'database_user', database_user,
    'actor', actor, 'request_id', request_id)::text`;

/**
 * Reads one page of events, the latest first. An event has its `id` before its transaction commits,
 * so an event may appear later on a page that was read. A client that follows changes uses a
 * WebSocket.
 */
export async function listEvents(pool: ConnectionSource, query: EventQuery): Promise<EventPage> {
  const { hostname, email, limit, before } = query;
  const values = [hostname, email, before, limit + 1];
  const { ids, events } = await readIdsAndEvents(pool, values, limit + 1);
  const isInPage = new Set(ids.slice(0, limit));
  return {
    events: events.filter(({ id }) => isInPage.has(id)).map(({ event }) => event),
    next: ids.length > limit ? ids[limit - 1] : undefined,
  };
}

interface EventRow {
  readonly id: string;
  readonly event: string;
}

const buildPageSql = (columns: string): string => `
  SELECT ${columns} FROM public.vm_events
  WHERE ($1::text IS NULL OR hostname = $1 OR old_hostname = $1)
    AND ($2::text IS NULL OR old_email = $2 OR new_email = $2)
    AND ($3::bigint IS NULL OR id < $3)
  ORDER BY id DESC LIMIT $4`;

const BY_IDS = `
  SELECT id, ${EVENT} AS event FROM public.vm_events WHERE id = ANY ($1::int8[]) ORDER BY id DESC`;

/** An event with a value that is not a text in the client's encoding is left out, but its id. */
async function readIdsAndEvents(
  pool: ConnectionSource,
  values: readonly unknown[],
  maxRows: number,
): Promise<{ ids: readonly string[]; events: readonly EventRow[] }> {
  try {
    const sql = buildPageSql(`id, ${EVENT} AS event`);
    const events = await readInPieces<EventRow>(pool, { sql, values, maxRows });
    return { ids: events.map(({ id }) => id), events };
  } catch (error) {
    if (!isElementError(error)) throw error;
  }
  const rows = await runReadQuery<Pick<EventRow, 'id'>>(pool, buildPageSql('id'), values);
  const ids = rows.map(({ id }) => id);
  const readSome = (some: readonly string[]) => runReadQuery<EventRow>(pool, BY_IDS, [some]);
  const events = (await processInHalves(ids, readSome, () => undefined)).flat();
  return { ids, events };
}
