// Describes audit events: a VM's history, and the fleet's activity from before the page was opened.

import { formatStatus } from './status-labels.js';
import { describeChange, type ActivityEvent } from './activity.js';

/** An event of the audit, as far as it is shown. */
export interface AuditEvent {
  readonly id: number;
  readonly at: string;
  readonly op: 'insert' | 'update' | 'delete' | 'truncate';
  readonly hostname: string | null;
  readonly old_hostname: string | null;
  readonly old_status: string | null;
  readonly new_status: string | null;
  readonly old_email: string | null;
  readonly new_email: string | null;
  readonly assignment_id: string | null;
  readonly crd_command_changed: boolean | null;
  readonly version: number | null;
  readonly database_user: string;
  readonly actor: string | null;
}

/** Describes an event for a VM's history, as a sentence without its end. */
export function describeEvent(event: AuditEvent): string {
  switch (event.op) {
    case 'insert':
      return `Registered, ${formatStatus(event.new_status)}${formatPerson(event.new_email)}`;
    case 'delete':
      return `Deleted; was ${formatStatus(event.old_status)}${formatPerson(event.old_email)}`;
    case 'truncate':
      return 'The whole table was emptied';
    case 'update':
      return describeUpdate(event);
  }
}

/** Formats the author of the change: the token's subject, or the role in the database. */
export function formatActor({ actor, database_user: user }: AuditEvent): string {
  return actor ?? `${user}, in the database`;
}

function describeUpdate(event: AuditEvent): string {
  const parts: string[] = [];
  const { old_status: was, new_status: is, old_email: had, new_email: has } = event;
  if (event.old_hostname !== null && event.old_hostname !== event.hostname)
    parts.push(`Renamed from ${event.old_hostname}`);
  if (was !== is) parts.push(`${formatStatus(was)} → ${formatStatus(is)}`);
  if (had !== has) parts.push(`${had ?? 'no person'} → ${has ?? 'no person'}`);
  if (event.crd_command_changed === true) parts.push('the command changed');
  const text = parts.join(', ');
  return text === '' ? 'Other columns changed' : text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Describes an event as the live activity would have; undefined if it would not have been shown.
 */
export function describePastEvent(event: AuditEvent): ActivityEvent | undefined {
  const { op, old_status: was, new_status: is, old_email: had, new_email: has } = event;
  if (event.hostname === null) return undefined;
  const row = { ...UNKNOWN, hostname: event.hostname };
  const isAssigned = is === 'in-use' && (was !== is || had !== has || event.crd_command_changed);
  const after = { ...row, status: is ?? '', email: has, assignment_id: event.assignment_id };
  const before = {
    ...row,
    status: was ?? '',
    email: had,
    assignment_id: isAssigned ? null : event.assignment_id,
  };
  return describeChange(op === 'insert' ? undefined : before, op === 'delete' ? undefined : after);
}

/** The columns that the audit does not record. */
const UNKNOWN = { id: 0, created_at: null, updated_at: null, version: null };

function formatPerson(email: string | null): string {
  return email === null ? '' : `, ${email}`;
}
