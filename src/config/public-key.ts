// Parses the public keys that verify tokens. The type of a key determines its one algorithm, so
// that no token can choose it.

import { createPublicKey, type KeyObject } from 'node:crypto';

/** The algorithms of RFC 7518 §3.3 and §3.4, and of RFC 8037 §3.1. */
export type PublicKeyAlgorithm = 'RS256' | 'ES256' | 'EdDSA';

/** A public key that verifies tokens. */
export interface PublicKey {
  readonly algorithm: PublicKeyAlgorithm;
  /** SubjectPublicKeyInfo as PEM (RFC 7468 §13). */
  readonly pem: string;
}

/** The smallest RSA key (RFC 7518 §3.3). */
const MIN_RSA_BITS = 2_048;

/** The expected value of a public key, for messages. */
export const EXPECTED_PUBLIC_KEY =
  'one key in PEM that begins with -----BEGIN PUBLIC KEY-----: RSA with ' +
  `${MIN_RSA_BITS} bits or more, EC P-256 or Ed25519`;

/**
 * Exactly one key with this label. Node would also accept a private key, a certificate, or the
 * first of several keys.
 */
const PEM = /^-----BEGIN PUBLIC KEY-----[\w+/=\s]+-----END PUBLIC KEY-----$/;

/**
 * Parses a key in PEM. `\n` may stand for a line break, because files of environment variables have
 * one variable per line.
 * @returns undefined if the text is not a key of a supported type
 */
export function parsePublicKey(text: string): PublicKey | undefined {
  const pem = text.replaceAll('\\n', '\n').trim();
  if (!PEM.test(pem)) return undefined;
  const key = parsePem(pem);
  const algorithm = key && detectAlgorithm(key);
  if (algorithm === undefined) return undefined;
  return { algorithm, pem };
}

function parsePem(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}

function detectAlgorithm({
  asymmetricKeyType,
  asymmetricKeyDetails,
}: KeyObject): PublicKeyAlgorithm | undefined {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS) return 'RS256';
  if (asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return 'ES256';
  return asymmetricKeyType === 'ed25519' ? 'EdDSA' : undefined;
}

/**
 * Whether a text contains a key or a certificate in PEM, and therefore cannot be a shared secret.
 */
export function isPem(text: string): boolean {
  return text.includes('-----BEGIN ');
}
