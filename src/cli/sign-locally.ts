// Tokens that commands sign, with the secret that is configured or kept. Where only public keys are configured, none
// can be signed, and the refusal says so.

import { resolveSecrets } from '../gateway/auth/secret.js';
import { signToken, type TokenContent } from '../gateway/auth/token.js';
import type { Config } from '../config/load.js';
import { UsageError } from './exit.js';

/** @throws UsageError where there is nothing to sign with. */
export async function signLocally(content: TokenContent, config: Config): Promise<string> {
  const [secret] = await resolveSecrets(config);
  if (secret !== undefined) return signToken(content, secret);
  throw new UsageError(
    'No token can be signed here: JWT_PUBLIC_KEY verifies tokens and signs none. ' +
      'Have one signed with its private key, or set JWT_SECRET as well.',
  );
}
