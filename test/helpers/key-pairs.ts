// Key pairs as an identity provider has them: the public one for the gateway, the private one to
// sign tokens.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT, type JWTPayload } from 'jose';
import type { PublicKey, PublicKeyAlgorithm } from '../../src/config/public-key.js';

export const ALGORITHMS: readonly PublicKeyAlgorithm[] = ['RS256', 'ES256', 'EdDSA'];

const GENERATE = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

export interface KeyPair extends PublicKey {
  /** A token with these claims; by the key's own algorithm, unless another is named. */
  readonly sign: (claims: JWTPayload, alg?: string) => Promise<string>;
}

export function keyPair(algorithm: PublicKeyAlgorithm): KeyPair {
  const { publicKey, privateKey } = GENERATE[algorithm]();
  return {
    algorithm,
    pem: toPem(publicKey),
    sign: (claims, alg = algorithm) =>
      new SignJWT(claims).setProtectedHeader({ alg }).sign(privateKey),
  };
}

/** SubjectPublicKeyInfo, as `openssl pkey -pubout` prints it. */
export function toPem(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}
