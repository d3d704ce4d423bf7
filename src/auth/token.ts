// Tokens: JSON Web Tokens (RFC 7519), signed and verified. Verifying never throws, whatever a stranger sends, and each
// key verifies its own algorithm only, so that no token can choose how it is checked (RFC 8725 §3.1).

import { errors, importSPKI, jwtVerify, SignJWT, type CryptoKey } from 'jose';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { PublicKey, PublicKeyAlgorithm } from '../config/public-key.js';
import { Role } from './roles.js';

/** Who a token says its bearer is. */
export interface Identity {
  /** An agent's is its hostname. */
  readonly sub: string;
  readonly role: Role;
  /** From then on the token is not accepted: its `exp` and the tolerance, in ms since 1970. */
  readonly expiresAtMs: number;
}

/** Why a token is refused. Of its times nothing is told unless its signature is good. */
export type TokenFault = 'expired' | 'not_yet_valid' | 'invalid';

export type Verified =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly reason: TokenFault };

/** Checks a token. The promise never rejects. */
export type Verifier = (token: string) => Promise<Verified>;

/** How far the clocks of whoever signs and of this machine may differ. */
const CLOCK_TOLERANCE_S = 5;

/** Longer ones are refused unread; half of what Node lets all headers of a request take together. */
const MAX_TOKEN_LENGTH = 8_192;

/** Three parts in base64url (RFC 7515 §3.1); jose by itself also takes padding and spaces around them. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The last moment that a Date can hold, in s: ECMA-262 "Time Values and Time Range". */
const MAX_TIME_S = 8.64e12 - CLOCK_TOLERANCE_S;

/** A `sub` fits `vms.hostname`: 1 to 255 characters, and no NUL, which PostgreSQL cannot hold. */
export const Subject = Type.String({ pattern: /^[^\0]{1,255}$/u });

/** What a token must claim; other claims are ignored. */
export const Claims = Type.Object({
  sub: Subject,
  role: Role,
  exp: Type.Number({ maximum: MAX_TIME_S, description: 'Seconds since 1970 (RFC 7519 §4.1.4).' }),
});
const claims = Compile(Claims);

const HS256 = 'HS256';

/** What tokens are verified with: a secret, by HS256, or a public key, by its own algorithm. */
export type TokenKey = string | PublicKey;

/** A key and the one algorithm that it verifies. */
interface VerificationKey {
  readonly algorithm: typeof HS256 | PublicKeyAlgorithm;
  readonly key: CryptoKey;
}

export interface TokenContent {
  readonly sub: string;
  readonly role: Role;
  /** From now; whole seconds. */
  readonly ttlSeconds: number;
}

/** How long an agent's token is good unless somebody says otherwise: 30 days. */
export const AGENT_TTL_SECONDS = 30 * 86_400;

/** Signs a token with HS256. */
export async function signToken(content: TokenContent, secret: string): Promise<string> {
  const { sub, role, ttlSeconds } = content;
  return await new SignJWT({ role })
    .setProtectedHeader({ alg: HS256 })
    .setSubject(sub)
    .setIssuedAt()
    .setExpirationTime(`${ttlSeconds} seconds`)
    .sign(new TextEncoder().encode(secret));
}

/**
 * Makes the check of tokens signed for any of `tokenKeys`.
 * @param clock the time in ms since 1970
 */
export function createVerifier(
  tokenKeys: readonly TokenKey[],
  clock: () => number = Date.now,
): Verifier {
  let keys: Promise<readonly VerificationKey[]> | undefined;
  return async (token) => {
    if (token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) {
      return { ok: false, reason: 'invalid' };
    }
    keys ??= Promise.all(tokenKeys.map(importKey));
    let reason: TokenFault = 'invalid';
    for (const key of await keys) {
      const verified = await verifyWith(key, token, clock());
      if (verified.ok) return verified;
      if (verified.reason !== 'invalid') reason = verified.reason;
    }
    return { ok: false, reason };
  };
}

/**
 * Imported once: a check with the raw bytes of a secret took 180 µs, with an imported key 100 µs; with an imported
 * public key of any kind 150 to 190 µs. A key of another algorithm than the token's adds 15 µs.
 */
async function importKey(tokenKey: TokenKey): Promise<VerificationKey> {
  if (typeof tokenKey !== 'string') {
    const { algorithm, pem } = tokenKey;
    return { algorithm, key: await importSPKI(pem, algorithm) };
  }
  const bytes = new TextEncoder().encode(tokenKey);
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes, hmac, false, ['verify']);
  return { algorithm: HS256, key };
}

async function verifyWith(
  { algorithm, key }: VerificationKey,
  token: string,
  nowMs: number,
): Promise<Verified> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [algorithm],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(nowMs),
    });
    if (!claims.Check(payload)) return { ok: false, reason: 'invalid' };
    const { sub, role, exp } = payload;
    const expiresAtMs = (exp + CLOCK_TOLERANCE_S) * 1000;
    return { ok: true, identity: { sub, role, expiresAtMs } };
  } catch (error) {
    return { ok: false, reason: faultOf(error) };
  }
}

/** jose looks at the times after the signature: of a forged token it is not told that it has expired. */
function faultOf(error: unknown): TokenFault {
  if (error instanceof errors.JWTExpired) return 'expired';
  const early =
    error instanceof errors.JWTClaimValidationFailed &&
    error.claim === 'nbf' &&
    error.reason === 'check_failed';
  return early ? 'not_yet_valid' : 'invalid';
}
