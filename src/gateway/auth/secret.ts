// Keeps the secret of a gateway that has no configured one. It is generated once, in a file that
// only its owner can read, and read again at every start. Gateways that start at the same time use
// the same secret.

import { randomBytes } from 'node:crypto';
import { link, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, type Config } from '../../config/load.js';
import { MIN_SECRET_BYTES } from '../../config/variable-kinds.js';
import { makeFolder } from '../../processes/make-folder.js';

const FILE_NAME = 'jwt-secret';

/** The secrets of HS256: the first signs tokens, and all verify them. */
export type Secrets = readonly string[];

/**
 * Returns the configured secrets, or else the secret in the data folder, which is generated if it
 * is missing. Returns no secret if only public keys are configured: tokens are then signed
 * elsewhere, and a secret that was not configured would be accepted too.
 * @throws ConfigError if the secret cannot be stored, or another user could know it
 */
export async function resolveSecrets(
  config: Pick<Config, 'jwtSecrets' | 'jwtPublicKeys' | 'dataDir'>,
): Promise<Secrets> {
  if (config.jwtSecrets.length > 0 || config.jwtPublicKeys.length > 0) return config.jwtSecrets;
  const path = join(config.dataDir, FILE_NAME);
  try {
    return [(await readSecret(path)) ?? (await createSecret(config.dataDir, path))];
  } catch (cause) {
    if (cause instanceof ConfigError || !(cause instanceof Error)) throw cause;
    const code = 'code' in cause ? String(cause.code) : cause.message;
    throw new ConfigError(
      [`DATA_DIR: a secret cannot be stored in ${path} (${code}); expected a writable folder`],
      { cause },
    );
  }
}

/**
 * Returns the secrets that `resolveSecrets` would return, without generating one.
 * @returns no secret if there is none yet, or only public keys are configured
 */
export async function readSecrets(
  config: Pick<Config, 'jwtSecrets' | 'jwtPublicKeys' | 'dataDir'>,
): Promise<Secrets> {
  if (config.jwtSecrets.length > 0 || config.jwtPublicKeys.length > 0) return config.jwtSecrets;
  const kept = await readSecret(join(config.dataDir, FILE_NAME)).catch((error: unknown) => {
    if (error instanceof ConfigError) throw error;
    return undefined;
  });
  return kept === undefined ? [] : [kept];
}

/**
 * Reads the secret from its file.
 * @returns undefined if there is no file
 */
async function readSecret(path: string): Promise<string | undefined> {
  const file = await open(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { mode, uid } = await file.stat();
    if ((mode & 0o077) !== 0)
      throw createSecretError(path, `is readable by other users; run: chmod 600 ${path}`);
    if (uid !== process.geteuid?.())
      throw createSecretError(path, `belongs to another user (${uid})`);
    const secret = (await file.readFile('utf8')).trim();
    if (Buffer.byteLength(secret) >= MIN_SECRET_BYTES) return secret;
    throw createSecretError(
      path,
      `has fewer than ${MIN_SECRET_BYTES} bytes; delete the file to generate a new one`,
    );
  } finally {
    await file.close();
  }
}

function createSecretError(path: string, fault: string): ConfigError {
  return new ConfigError([`JWT_SECRET is not set, and the secret in ${path} ${fault}`]);
}

/**
 * Generates a secret and stores it with a hard link. The link creates the complete file, or fails
 * because another start was first. No process therefore reads a partial secret, and no secret is
 * replaced.
 */
async function createSecret(dataDir: string, path: string): Promise<string> {
  // The embedded database and its password may later be in this folder too.
  await makeFolder(dataDir, 0o700);
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString('base64url')}\n`);
    await file.sync();
    await link(draft, path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  } finally {
    await file.close();
    await unlink(draft);
  }
  const secret = await readSecret(path);
  if (secret === undefined) throw createSecretError(path, 'was deleted while it was generated');
  return secret;
}
