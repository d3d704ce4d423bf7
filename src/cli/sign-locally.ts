// Signs tokens for commands, with the configured or the kept secret. With public keys alone no
// token can be signed.

import { resolveSecrets } from '../gateway/auth/secret.js';
import { signToken, type TokenContent } from '../gateway/auth/token.js';
import type { Config } from '../config/load.js';
import { UsageError } from './exit.js';

/** Signs a token. @throws UsageError if only public keys are configured. */
export async function signLocally(content: TokenContent, config: Config): Promise<string> {
  return signToken(content, await requireSecret(config));
}

/** Returns the secret that signs tokens. @throws UsageError if only public keys are configured. */
export async function requireSecret(config: Config): Promise<string> {
  const [secret] = await resolveSecrets(config);
  if (secret !== undefined) return secret;
  throw new UsageError(
    'No token can be signed here: JWT_PUBLIC_KEY only verifies tokens. ' +
      'Sign one with its private key, or set JWT_SECRET too.',
  );
}
