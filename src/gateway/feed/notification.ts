// Parses a notification's payload: a row, what to read, or a reason to reject it. Pure, and never
// throws: every role that may connect to the database may send any payload.

import type { VmRow } from '../fleet/entry.js';
import type { AssignmentClaim } from './assignment-proof.js';

/** The channel that carries rows, exactly as `row_to_json` returns them. */
export const ROWS_CHANNEL = 'vm_updates';
/** The channel that carries invalidations: changes that no row can express. */
export const INVALIDATIONS_CHANNEL = 'vm_changes';
/** The channel on which gateways name the agents that connected, left, or reported something. */
export const PRESENCE_CHANNEL = 'vm_presence';
/** The channel that says that the list of revoked tokens changed; its payload is ignored. */
export const REVOCATIONS_CHANNEL = 'vm_revocations';

/** Why a payload was rejected. A label of a metric, so the names stay. */
export type RejectReason =
  'not_json' | 'not_an_object' | 'no_hostname' | 'bad_version' | 'bad_status' | 'unknown_op';

export type ParsedNotification =
  /** This row, at this version; `claim` if it has an assignment that can be verified. */
  | { readonly kind: 'row'; readonly row: VmRow; readonly claim: AssignmentClaim | undefined }
  /** This hostname's row must be read. */
  | { readonly kind: 'read'; readonly hostname: string }
  /** Everything must be read. */
  | { readonly kind: 'read-all' }
  /** Not what our triggers send; `hostname` if the payload has one, so that its row can be read. */
  | {
      readonly kind: 'rejected';
      readonly reason: RejectReason;
      readonly hostname: string | undefined;
    };

const rejected = (reason: RejectReason, hostname?: string): ParsedNotification => ({
  kind: 'rejected',
  reason,
  hostname,
});

/** Parses a payload of `vm_updates`; the row's JSON text is kept as it arrived. */
export function parseRow(payload: string): ParsedNotification {
  const value = parseObject(payload);
  if (typeof value === 'string') return rejected(value);
  const { hostname, version, status, assignment_id } = value;
  if (!isHostname(hostname)) return rejected('no_hostname');
  if (!isVersion(version)) return rejected('bad_version', hostname);
  if (typeof status !== 'string') return rejected('bad_status', hostname);
  const assignmentId = typeof assignment_id === 'string' ? assignment_id : null;
  const row = { hostname, version, status, assignmentId, row: payload };
  return { kind: 'row', row, claim: parseClaim(value, row) };
}

/** Parses the assignment; columns of other types than text have no digest. */
function parseClaim(
  { email, crd_command: command }: Record<string, unknown>,
  { hostname, version, assignmentId }: VmRow,
): AssignmentClaim | undefined {
  if (assignmentId === null || !isTextOrNull(email) || !isTextOrNull(command)) return undefined;
  return { hostname, email, command, rowVersion: version, assignmentId };
}

/** Parses a payload of `vm_changes`: `{"op":"read","hostname"}` or `{"op":"read"}`. */
export function parseInvalidation(payload: string): ParsedNotification {
  const value = parseObject(payload);
  if (typeof value === 'string') return rejected(value);
  const { op, hostname } = value;
  if (op !== 'read') return rejected('unknown_op', isHostname(hostname) ? hostname : undefined);
  if (hostname === undefined) return { kind: 'read-all' };
  return isHostname(hostname) ? { kind: 'read', hostname } : rejected('no_hostname');
}

/** Parses a payload of `vm_presence`, `{"hostnames":[…]}`: the presence of these is to be read. */
export function parsePresence(payload: string): readonly string[] | RejectReason {
  const value = parseObject(payload);
  if (typeof value === 'string') return value;
  const { hostnames } = value;
  return Array.isArray(hostnames) && hostnames.every(isHostname) ? hostnames : 'no_hostname';
}

function parseObject(payload: string): Record<string, unknown> | RejectReason {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return 'not_json';
  }
  return isRecord(value) ? value : 'not_an_object';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextOrNull(value: unknown): value is string | null {
  return typeof value === 'string' || value === null;
}

/** PostgreSQL's text holds no NUL: such a name has no row, and a query with it would fail. */
function isHostname(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}

/** The schema's sequence ends at 2^53 - 1, so that a version is exact as a JSON number. */
function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
