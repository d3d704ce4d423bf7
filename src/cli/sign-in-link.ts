// Makes a link that signs in to the dashboard once. The link has a short-lived code instead of a
// token, because browsers keep the addresses that they opened.

import type pg from 'pg';
import {
  createSignInCode,
  hashSignInCode,
  SIGN_IN_CODE_TTL_SECONDS,
} from '../gateway/auth/sign-in-code.js';
import type { TokenContent } from '../gateway/auth/token.js';
import { withSession } from '../postgres/admin/session.js';
import { storeSignInCode } from '../postgres/admin/sign-in-codes.js';

export interface LinkOptions {
  readonly database: pg.ClientConfig;
  /** The URL of the gateway. */
  readonly url: string;
  /** Signs the token that the code is exchanged for. */
  readonly secret: string;
  readonly content: TokenContent;
  readonly codeTtlSeconds?: number;
}

/** Stores a code and returns the link. */
export async function createSignInLink(options: LinkOptions): Promise<string> {
  const { database, url, secret, content, codeTtlSeconds = SIGN_IN_CODE_TTL_SECONDS } = options;
  const code = createSignInCode(secret);
  await withSession(database, 'sign-in link', (session) =>
    storeSignInCode(session, { ...content, hash: hashSignInCode(code), codeTtlSeconds }),
  );
  return `${url.replace(/\/$/, '')}/#code=${code}`;
}
