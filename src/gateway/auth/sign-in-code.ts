// The one-time codes of links to the dashboard. A code carries a MAC by the secret that signs
// tokens, so that a guess is rejected before the database is asked. Pure, but for random bytes.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const NONCE_BYTES = 16;
const MAC_BYTES = 16;

/** A code in base64url, as it stands in a link. */
export const SIGN_IN_CODE = /^[\w-]{43}$/;

/** How long a code is good. */
export const SIGN_IN_CODE_TTL_SECONDS = 5 * 60;

export function createSignInCode(secret: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  return Buffer.concat([nonce, computeMac(nonce, secret)]).toString('base64url');
}

/** Whether one of these secrets made the code. It may have been used, or be too old. */
export function verifySignInCode(code: string, secrets: readonly string[]): boolean {
  if (!SIGN_IN_CODE.test(code)) return false;
  const bytes = Buffer.from(code, 'base64url');
  const [nonce, mac] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES)];
  return secrets.some((secret) => timingSafeEqual(mac, computeMac(nonce, secret)));
}

/** Hashes a code for the database. The code is random, so a fast hash is enough. */
export function hashSignInCode(code: string): Buffer {
  return createHash('sha256').update(code).digest();
}

function computeMac(nonce: Buffer, secret: string): Buffer {
  const mac = createHmac('sha256', secret).update('lablink sign-in code\0').update(nonce).digest();
  return mac.subarray(0, MAC_BYTES);
}
