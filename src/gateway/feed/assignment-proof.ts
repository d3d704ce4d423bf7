// Verifies that the table's trigger made an assignment. Every role that may connect may send any
// notification, so a payload alone proves nothing: an assignment_id carries a digest that only a
// holder of the table's key can compute. The layout is in schema/README.md. Pure.

import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';

/** What a notified row says about its assignment. */
export interface AssignmentClaim {
  readonly hostname: string;
  readonly email: string | null;
  readonly command: string | null;
  /** The version of the row that carries the assignment. */
  readonly rowVersion: number;
  readonly assignmentId: string;
}

/** An id carries this many bits of the version at which it was made. */
const VERSION_RANGE = 2 ** 48;

/** A UUID of version 8 and of the variant of RFC 9562, as PostgreSQL writes it. */
const AUTHENTICATED_ID =
  /^([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{3})-[89ab]([0-9a-f])[0-9a-f]{2}-[0-9a-f]{12}$/;

/**
 * Returns the version of the row at which the assignment was made; undefined if the id was not made
 * with this key for this hostname, email and command.
 */
export function verifyAssignment(key: KeyObject, claim: AssignmentClaim): number | undefined {
  const parts = AUTHENTICATED_ID.exec(claim.assignmentId);
  if (parts === null) return undefined;
  const [, high = '', low = '', random3 = '', random1 = ''] = parts;
  const version = restoreVersion(Number.parseInt(high + low, 16), claim.rowVersion);
  if (version === undefined) return undefined;
  const digest = computeDigest(key, claim, version, random3 + random1);
  const variant = '89ab'.charAt((digest[7] ?? 0) & 3);
  const end = digest.toString('hex', 0, 7);
  const expected = `${high}-${low}-8${random3}-${variant}${random1}${end.slice(0, 2)}-${end.slice(2)}`;
  return equals(expected, claim.assignmentId) ? version : undefined;
}

/** The highest version that is not above the row's and has these low 48 bits. */
function restoreVersion(lowBits: number, rowVersion: number): number | undefined {
  const version = Math.floor(rowVersion / VERSION_RANGE) * VERSION_RANGE + lowBits;
  if (version <= rowVersion) return version;
  return version >= VERSION_RANGE ? version - VERSION_RANGE : undefined;
}

function computeDigest(
  key: KeyObject,
  { hostname, email, command }: AssignmentClaim,
  version: number,
  random: string,
): Buffer {
  const lengths = [hostname, email, command].map(countCodePoints).join(':');
  const text = `${version}:${random}:${lengths}:${hostname}${email ?? ''}${command ?? ''}`;
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

/** As PostgreSQL's length() counts; `-` stands for NULL. */
function countCodePoints(text: string | null): string {
  if (text === null) return '-';
  let count = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit < 0xdc00) count--;
  }
  return String(count);
}

function equals(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
