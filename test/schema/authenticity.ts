// Computes the digest in an assignment_id as schema/README.md describes it, independently of the
// SQL that makes it.

import { createHmac } from 'node:crypto';

export interface Assignment {
  readonly hostname: string;
  readonly email: string | null;
  readonly crd_command: string | null;
  /** The values of the row when the assignment was made. */
  readonly version: number;
}

/** The assignment_id with these 16 random bits, as four hexadecimal digits. */
export function authenticId(key: Buffer, random: string, assignment: Assignment): string {
  const { hostname, email, crd_command: command, version } = assignment;
  const length = (text: string | null) => (text === null ? '-' : String(Array.from(text).length));
  const lengths = [hostname, email, command].map(length).join(':');
  const text = `${version}:${random}:${lengths}:${hostname}${email ?? ''}${command ?? ''}`;
  const mac = createHmac('sha256', key).update(text, 'utf8').digest();
  const low48 = (BigInt(version) & 0xffff_ffff_ffffn).toString(16).padStart(12, '0');
  const hex = [
    ...[low48, '8', random.slice(0, 3), '89ab'.charAt((mac[7] ?? 0) & 3), random.charAt(3)],
    mac.subarray(0, 7).toString('hex'),
  ].join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** The 16 random bits that an assignment_id carries. */
export const randomBits = (id: string): string => id.slice(15, 18) + id.slice(20, 21);
