// Reads of the audit: what changed in `vms`, when, and who did it. Written by the database alone.

import type pg from 'pg';
import { runReadQuery } from './transaction.js';

export interface EventQuery {
  /** Events of the VM of this hostname, also under its earlier or its later one when it was renamed then. */
  readonly hostname: string | undefined;
  /** Events that gave this person a VM, or took one. */
  readonly email: string | undefined;
  readonly limit: number;
  /** The `id` before which to begin. */
  readonly before: string | undefined;
}

export interface EventPage {
  /** Each event's JSON text, the latest first. */
  readonly events: readonly string[];
  /** The `id` to continue before, or undefined at the end. */
  readonly next: string | undefined;
}

/** A time as ISO 8601 in UTC, whatever the session's settings. */
const EVENT = `
  json_build_object('id', id, 'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'op', op, 'hostname', hostname, 'old_hostname', old_hostname, 'assignment_id', assignment_id,
    'old_status', old_status, 'new_status', new_status, 'old_email', old_email, 'new_email', new_email,
    'crd_command_changed', crd_command_changed, 'version', version, 'database_user', database_user,
    'actor', actor, 'request_id', request_id)::text`;

/**
 * One page of events, the latest first. An event gets its `id` before its transaction commits, so a page that has been
 * read may gain one later: to follow what happens is what sockets are for.
 */
export async function listEvents(pool: pg.Pool, query: EventQuery): Promise<EventPage> {
  const { hostname, email, limit, before } = query;
  const rows = await runReadQuery<{ id: string; event: string }>(
    pool,
    `SELECT id, ${EVENT} AS event FROM public.vm_events
     WHERE ($1::text IS NULL OR hostname = $1 OR old_hostname = $1)
       AND ($2::text IS NULL OR old_email = $2 OR new_email = $2)
       AND ($3::bigint IS NULL OR id < $3)
     ORDER BY id DESC LIMIT $4`,
    [hostname, email, before, limit + 1],
  );
  return {
    events: rows.slice(0, limit).map(({ event }) => event),
    next: rows.length > limit ? rows[limit - 1]?.id : undefined,
  };
}
