// Signs and verifies JSON Web Tokens (RFC 7519). Verifying never throws. Each key verifies its own
// algorithm only, so that no token can choose how it is verified (RFC 8725 §3.1).

import { randomUUID } from 'node:crypto';
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
  /** Names the token, for its revocation. Missing if its signer gave it no name. */
  readonly jti?: string;
  /** When the token was issued, in s since 1970. Missing if its signer did not say. */
  readonly issuedAtS?: number;
  /** The limits of an enrolment token. */
  readonly enrolment?: EnrolmentLimits;
}

/** The limits of an enrolment token; each may be missing. */
export interface EnrolmentLimits {
  /** How many VMs may enrol with the token. */
  readonly max?: number;
  /** The hostnames that may enrol, with `*` for any characters. */
  readonly pattern?: string;
}

/**
 * Why a token is rejected. A token with an invalid signature is always `invalid`, so that its times
 * are not revealed. `revocations_unread`: whether the token was revoked is not known yet.
 */
export type TokenFault = 'expired' | 'not_yet_valid' | 'invalid' | 'revoked' | 'revocations_unread';

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

/** The required claims of a token. A valid `jti` and `iat` are used; others are ignored. */
export const TokenClaims = Type.Object({
  sub: Subject,
  role: Role,
  exp: Type.Number({ maximum: MAX_TIME_S, description: 'Seconds since 1970 (RFC 7519 §4.1.4).' }),
  // A limit that cannot be understood makes the token invalid, instead of being ignored.
  enrol_max: Type.Optional(Type.Integer({ minimum: 1 })),
  enrol_pattern: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
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
  readonly enrolment?: EnrolmentLimits;
}

/** The default lifetime of an agent's token: 30 days. */
export const AGENT_TTL_SECONDS = 30 * 86_400;

/** Signs a token with HS256. Its `jti` is random. */
export function signToken(content: TokenContent, secret: string): string {
  const { sub, role, ttlSeconds, enrolment: { max, pattern } = {} } = content;
  const sign = createSigner({ key: secret, algorithm: HS256, expiresIn: ttlSeconds * 1000 });
  const claims = {
    sub,
    role,
    jti: randomUUID(),
    ...(max !== undefined && { enrol_max: max }),
    ...(pattern !== undefined && { enrol_pattern: pattern }),
  };
  return sign(claims);
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
    const signed = readSignedClaims(signatures, token);
    return signed === undefined ? INVALID : validateTimes(signed, clock());
  };
}

/** The claims of a token with a valid signature, whether it has ended or not. */
export interface SignedToken {
  readonly identity: Identity;
  /** Whether it is valid at this time, apart from revocations. */
  readonly verified: VerifyResult;
}

/** Reads a token for a person to inspect; undefined without a valid signature. */
export function inspectToken(
  tokenKeys: readonly TokenKey[],
  token: string,
  nowMs: number,
): SignedToken | undefined {
  const signed = readSignedClaims(tokenKeys.map(createSignatureCheck), token);
  return signed && { identity: createIdentity(signed), verified: validateTimes(signed, nowMs) };
}

type Claims = Type.Static<typeof TokenClaims>;

function readSignedClaims(
  signatures: readonly SignatureCheck[],
  token: string,
): Claims | undefined {
  if (token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) return undefined;
  for (const verifySignature of signatures) {
    const signed = verifySignature(token);
    if (claims.Check(signed)) return signed;
  }
  return undefined;
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

function validateTimes(signed: Claims, nowMs: number): VerifyResult {
  const identity = createIdentity(signed);
  if (nowMs >= identity.expiresAtMs) return { ok: false, reason: 'expired' };
  if (signed.nbf !== undefined && nowMs < (signed.nbf - CLOCK_TOLERANCE_S) * 1000)
    return { ok: false, reason: 'not_yet_valid' };
  return { ok: true, identity };
}

function createIdentity(signed: Claims & { jti?: unknown; iat?: unknown }): Identity {
  const { sub, role, exp, jti, iat, enrol_max: max, enrol_pattern: pattern } = signed;
  const isLimited = max !== undefined || pattern !== undefined;
  const limits = { ...(max !== undefined && { max }), ...(pattern !== undefined && { pattern }) };
  return {
    sub,
    role,
    expiresAtMs: (exp + CLOCK_TOLERANCE_S) * 1000,
    ...(typeof jti === 'string' && { jti }),
    ...(typeof iat === 'number' && { issuedAtS: iat }),
    ...(isLimited && { enrolment: limits }),
  };
}
