// The kinds of environment variables that there are several of: what each must be, and how that is said.

import { Type } from 'typebox';
import { EXPECTED_PUBLIC_KEY, isPem, parsePublicKey } from './public-key.js';

/** The smallest secret for HS256: as long as its hash (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32;

export const defineSecret = (description: string) =>
  Type.Optional(
    Type.Refine(
      Type.String({
        description,
        expected: `${MIN_SECRET_BYTES} bytes or more, and no key in PEM`,
        secret: true,
      }),
      // Who knows a public key that is taken for a secret could sign with it (RFC 8725 §2.1).
      (secret) => Buffer.byteLength(secret) >= MIN_SECRET_BYTES && !isPem(secret),
    ),
  );

/** Not shown in messages: it may be a private key, by mistake. */
export const definePublicKey = (description: string) =>
  Type.Optional(
    Type.Refine(
      Type.String({ description, expected: EXPECTED_PUBLIC_KEY, secret: true }),
      (pem) => parsePublicKey(pem) !== undefined,
    ),
  );

export const defineDatabaseUrl = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: '^postgres(ql)?://',
      description,
      expected: 'a URL like postgresql://user:password@host:5432/database',
      secret: true,
    }),
  );

export const defineEnum = <const T extends readonly string[]>(
  values: T,
  fallback: T[number],
  description: string,
) =>
  Type.Unsafe<T[number]>(
    Type.Enum(values, {
      default: fallback,
      description,
      expected: `one of ${values.join(', ')}`,
    }),
  );

export const defineCount = (fallback: number, description: string) =>
  Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: fallback,
    description,
    expected: 'an integer from 1 to 1000000',
  });
