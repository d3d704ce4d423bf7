// Defines the schemas that several environment variables share: their validation, and the
// description of the expected value.

import { Type } from 'typebox';
import { EXPECTED_PUBLIC_KEY, isPem, parsePublicKey } from './public-key.js';

/** The smallest secret for HS256 in bytes: the length of its hash (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32;

/** Defines a variable with a secret for HS256. */
export const defineSecret = (description: string) =>
  Type.Optional(
    Type.Refine(
      Type.String({
        description,
        expected: `${MIN_SECRET_BYTES} bytes or more, and not a key in PEM`,
        secret: true,
      }),
      // If a public key were used as a secret, everyone who knows it could sign tokens (RFC 8725
      // §2.1).
      (secret) => Buffer.byteLength(secret) >= MIN_SECRET_BYTES && !isPem(secret),
    ),
  );

/**
 * Defines a variable with a public key in PEM. Messages never show it, because it may be a private
 * key by mistake.
 */
export const definePublicKey = (description: string) =>
  Type.Optional(
    Type.Refine(
      Type.String({ description, expected: EXPECTED_PUBLIC_KEY, secret: true }),
      (pem) => parsePublicKey(pem) !== undefined,
    ),
  );

/**
 * Defines a variable with the URL of a database. Messages never show it, because it may contain a
 * password.
 */
export const defineDatabaseUrl = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: '^(postgres(ql)?://|\\s*[a-z_]+\\s*=)',
      description,
      expected: 'a URL like postgresql://user:password@host:5432/database, or "host=… dbname=…"',
      secret: true,
    }),
  );

/** Defines a variable with one of a fixed set of values. */
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

/** Defines a variable with a count from 1 to 1,000,000. */
export const defineCount = (fallback: number, description: string) =>
  Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: fallback,
    description,
    expected: 'an integer from 1 to 1000000',
  });
