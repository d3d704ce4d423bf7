// The secret of a gateway that was given none: made once, kept in a file that nobody but its owner can read, and found
// again at every start. However many start at once, all end up with the same one.

import { randomBytes } from 'node:crypto';
import { link, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, type Config } from '../../config/load.js';
import { MIN_SECRET_BYTES } from '../../config/variable-kinds.js';

const FILE_NAME = 'jwt-secret';

/** The first signs, all verify. */
export type Secrets = readonly string[];

/**
 * The secrets that are configured, or else the one kept in the data folder, made when there is none.
 * Empty where only public keys are configured: tokens are then signed elsewhere, and a secret nobody
 * asked for would open a second way in.
 * @throws ConfigError when it cannot be kept, or somebody else could know it
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
      [`DATA_DIR: no secret can be kept in ${path} (${code}); expected a folder to write in`],
      { cause },
    );
  }
}

/** Undefined when there is no such file. */
async function readSecret(path: string): Promise<string | undefined> {
  const file = await open(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { mode, uid } = await file.stat();
    if ((mode & 0o077) !== 0)
      throw createSecretError(path, `is open to others; run: chmod 600 ${path}`);
    if (uid !== process.geteuid?.())
      throw createSecretError(path, `belongs to another user (${uid})`);
    const secret = (await file.readFile('utf8')).trim();
    if (Buffer.byteLength(secret) >= MIN_SECRET_BYTES) return secret;
    throw createSecretError(
      path,
      `holds fewer than ${MIN_SECRET_BYTES} bytes; delete it to have one made`,
    );
  } finally {
    await file.close();
  }
}

function createSecretError(path: string, fault: string): ConfigError {
  return new ConfigError([`JWT_SECRET is not set, and the secret in ${path} ${fault}`]);
}

/**
 * A link either gives the file its name, whole, or fails because another start was first: nobody
 * ever reads half a secret, and nobody's is replaced.
 */
async function createSecret(dataDir: string, path: string): Promise<string> {
  await mkdir(dataDir, { recursive: true });
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
  if (secret === undefined) throw createSecretError(path, 'was deleted while it was made');
  return secret;
}
