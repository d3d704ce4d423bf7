// Tokens: JSON Web Tokens (RFC 7519), signed and verified. Verifying never throws, whatever a stranger sends, and each
// key verifies its own algorithm only, so that no token can choose how it is checked (RFC 8725 §3.1).

import { createSigner, createVerifier as createJwtVerifier } from 'fast-jwt';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { PublicKey } from '../../config/public-key.js';
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

export type VerifyResult =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly reason: TokenFault };

/**
 * Checks a token; never throws. At once and not in another thread: with a secret it takes 7 µs of CPU, and to hand it
 * over and wait for the answer took 40, when thousands came at once more.
 */
export type Verifier = (token: string) => VerifyResult;

/** How far the clocks of whoever signs and of this machine may differ. */
const CLOCK_TOLERANCE_S = 5;

/** Longer ones are refused unread; half of what Node lets all headers of a request take together. */
const MAX_TOKEN_LENGTH = 8_192;

/** Three parts in base64url, and all three there (RFC 7515 §3.1). */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The last moment that a Date can hold, in s: ECMA-262 "Time Values and Time Range". */
const MAX_TIME_S = 8.64e12 - CLOCK_TOLERANCE_S;

/** A `sub` fits `vms.hostname`: 1 to 255 characters, and no NUL, which PostgreSQL cannot hold. */
export const Subject = Type.String({ pattern: /^[^\0]{1,255}$/u });

/** What a token must claim; other claims are ignored. */
export const TokenClaims = Type.Object({
  sub: Subject,
  role: Role,
  exp: Type.Number({ maximum: MAX_TIME_S, description: 'Seconds since 1970 (RFC 7519 §4.1.4).' }),
  nbf: Type.Optional(Type.Number({ description: 'Seconds since 1970 (RFC 7519 §4.1.5).' })),
});
const claims = Compile(TokenClaims);

const HS256 = 'HS256';

/** What tokens are verified with: a secret, by HS256, or a public key, by its own algorithm. */
export type TokenKey = string | PublicKey;

export interface TokenContent {
  readonly sub: string;
  readonly role: Role;
  /** From now; whole seconds. */
  readonly ttlSeconds: number;
}

/** How long an agent's token is good unless somebody says otherwise: 30 days. */
export const AGENT_TTL_SECONDS = 30 * 86_400;

/** Signs a token with HS256. */
export function signToken({ sub, role, ttlSeconds }: TokenContent, secret: string): string {
  const sign = createSigner({ key: secret, algorithm: HS256, expiresIn: ttlSeconds * 1000 });
  return sign({ sub, role });
}

/**
 * Makes the check of tokens signed for any of `tokenKeys`.
 * @param clock the time in ms since 1970
 */
export function createVerifier(
  tokenKeys: readonly TokenKey[],
  clock: () => number = Date.now,
): Verifier {
  const signatures = tokenKeys.map(createSignatureCheck);
  return (token) => {
    if (token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) return INVALID;
    for (const verifySignature of signatures) {
      const signed = verifySignature(token);
      if (claims.Check(signed)) return validateTimes(signed, clock());
    }
    return INVALID;
  };
}

const INVALID: VerifyResult = { ok: false, reason: 'invalid' };

/** Gives what a token claims whose signature is good; undefined for any other. */
type SignatureCheck = (token: string) => unknown;

function createSignatureCheck(tokenKey: TokenKey): SignatureCheck {
  const isSecret = typeof tokenKey === 'string';
  const key = isSecret ? tokenKey : tokenKey.pem;
  const algorithm = isSecret ? HS256 : tokenKey.algorithm;
  // The times are for `judge`: only to a token whose signature is good it is told that it has expired.
  const ignoreTimes = { ignoreExpiration: true, ignoreNotBefore: true };
  const verify = createJwtVerifier({ key, algorithms: [algorithm], ...ignoreTimes });
  return (token) => {
    try {
      return verify(token) as unknown;
    } catch {
      return undefined;
    }
  };
}

function validateTimes(
  { sub, role, exp, nbf }: Type.Static<typeof TokenClaims>,
  nowMs: number,
): VerifyResult {
  const expiresAtMs = (exp + CLOCK_TOLERANCE_S) * 1000;
  if (nowMs >= expiresAtMs) return { ok: false, reason: 'expired' };
  if (nbf !== undefined && nowMs < (nbf - CLOCK_TOLERANCE_S) * 1000)
    return { ok: false, reason: 'not_yet_valid' };
  return { ok: true, identity: { sub, role, expiresAtMs } };
}
