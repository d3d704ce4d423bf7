// Public keys that verify tokens. Each is for the one algorithm that its kind is for, so that nothing else chooses it.

import { createPublicKey, type KeyObject } from 'node:crypto';

/** Signatures of RFC 7518 §3.3 and §3.4, and of RFC 8037 §3.1. */
export type PublicKeyAlgorithm = 'RS256' | 'ES256' | 'EdDSA';

export interface PublicKey {
  readonly algorithm: PublicKeyAlgorithm;
  /** SubjectPublicKeyInfo as PEM (RFC 7468 §13). */
  readonly pem: string;
}

/** RFC 7518 §3.3. */
const MIN_RSA_BITS = 2_048;

export const EXPECTED_PUBLIC_KEY =
  'one PEM that begins with -----BEGIN PUBLIC KEY-----, of RSA with ' +
  `${MIN_RSA_BITS} bits or more, EC P-256 or Ed25519`;

/** One alone, and with this label: Node would take a private key or a certificate too, and the first of several. */
const PEM = /^-----BEGIN PUBLIC KEY-----[\w+/=\s]+-----END PUBLIC KEY-----$/;

/**
 * Reads a key in PEM, in which `\n` may stand for a line break, as where an environment is a file
 * of lines. Undefined when it is none, or of a kind that no algorithm here is for.
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

/** Whether a text is a key or a certificate in PEM, and so no secret to share: the world may know it. */
export function isPem(text: string): boolean {
  return text.includes('-----BEGIN ');
}
