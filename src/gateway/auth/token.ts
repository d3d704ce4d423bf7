// Signs and verifies JSON Web Tokens (RFC 7519). Verifying never throws. Each key verifies its own
// algorithm only, so that no token can choose how it is verified (RFC 8725 §3.1).

import { createSigner, createVerifier as createJwtVerifier } from 'fast-jwt';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { PublicKey } from '../../config/public-key.js';
import { Role } from './roles.js';

/** The identity of a token's bearer. */
export interface Identity {
  /** The hostname, for an agent. */
  readonly sub: string;
  readonly role: Role;
  /** The end of the token: its `exp` plus the tolerance, in ms since 1970. */
  readonly expiresAtMs: number;
}

/**
 * Why a token is rejected. A token with an invalid signature is always `invalid`, so that its times
 * are not revealed.
 */
export type TokenFault = 'expired' | 'not_yet_valid' | 'invalid';

/** The result of verifying a token. */
export type VerifyResult =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly reason: TokenFault };

/**
 * Verifies a token; never throws. It is synchronous, because another thread costs more than it
 * saves. Verifying with a secret takes 7 µs of CPU; passing a token to a thread took 40 µs.
 */
export type Verifier = (token: string) => VerifyResult;

/** The tolerated difference between the clocks of the signer and of this machine. */
const CLOCK_TOLERANCE_S = 5;

/**
 * Longer tokens are rejected before they are parsed. This is half of Node's limit for all headers
 * of a request.
 */
const MAX_TOKEN_LENGTH = 8_192;

/** Three parts in base64url, none of them empty (RFC 7515 §3.1). */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The latest time of a Date, in s (ECMA-262, "Time Values and Time Range"). */
const MAX_TIME_S = 8.64e12 - CLOCK_TOLERANCE_S;

/**
 * A `sub` fits into `vms.hostname`: 1 to 255 characters without NUL, which PostgreSQL cannot store.
 */
export const Subject = Type.String({ pattern: /^[^\0]{1,255}$/u });

/** The required claims of a token. Other claims are ignored. */
export const TokenClaims = Type.Object({
  sub: Subject,
  role: Role,
  exp: Type.Number({ maximum: MAX_TIME_S, description: 'Seconds since 1970 (RFC 7519 §4.1.4).' }),
  nbf: Type.Optional(Type.Number({ description: 'Seconds since 1970 (RFC 7519 §4.1.5).' })),
});
const claims = Compile(TokenClaims);

const HS256 = 'HS256';

/** A key that verifies tokens: a secret for HS256, or a public key for its own algorithm. */
export type TokenKey = string | PublicKey;

/** The content of a token to be signed. */
export interface TokenContent {
  readonly sub: string;
  readonly role: Role;
  /** The lifetime from now, in whole seconds. */
  readonly ttlSeconds: number;
}

/** The default lifetime of an agent's token: 30 days. */
export const AGENT_TTL_SECONDS = 30 * 86_400;

/** Signs a token with HS256. */
export function signToken({ sub, role, ttlSeconds }: TokenContent, secret: string): string {
  const sign = createSigner({ key: secret, algorithm: HS256, expiresIn: ttlSeconds * 1000 });
  return sign({ sub, role });
}

/**
 * Creates a verifier that accepts a token if any of `tokenKeys` verifies it.
 * @param clock returns the time in ms since 1970
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

/** Returns the claims of a token with a valid signature; undefined for any other token. */
type SignatureCheck = (token: string) => unknown;

function createSignatureCheck(tokenKey: TokenKey): SignatureCheck {
  const isSecret = typeof tokenKey === 'string';
  const key = isSecret ? tokenKey : tokenKey.pem;
  const algorithm = isSecret ? HS256 : tokenKey.algorithm;
  // `validateTimes` checks the times, so that only a token with a valid signature is reported as
  // expired.
  const verify = createJwtVerifier({
    key,
    algorithms: [algorithm],
    ignoreExpiration: true,
    ignoreNotBefore: true,
  });
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
