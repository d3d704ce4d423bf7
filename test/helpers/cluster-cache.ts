// A database cluster that is created once and copied for each test file: initdb takes most of a
// second of CPU, a copy a twentieth. The product creates the cluster, again whenever the code that
// does so has changed.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { listServers } from '../../src/postgres/embedded/binaries.js';
import { startEmbedded } from '../../src/postgres/embedded/server.js';

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/lablink-gateway', import.meta.url));
const MAKERS = ['account', 'cluster', 'database'].map(
  (name) => new URL(`../../src/postgres/embedded/${name}.ts`, import.meta.url),
);

/** Puts a cluster into the data folder, or nothing where no copy can be kept. */
export async function copyCluster(dataDir: string, binDir: string | undefined): Promise<void> {
  const server = binDir ?? (await listServers())[0]?.binDir;
  if (server === undefined) return;
  const kept = join(CACHE, await computeKey(server));
  const isThere = await exists(join(kept, 'postgres'));
  if (!isThere && !(await make(kept, server))) return;
  await promisify(execFile)('cp', ['-a', join(kept, 'postgres'), join(dataDir, 'postgres')]);
}

async function computeKey(binDir: string): Promise<string> {
  const { size, mtimeMs } = await stat(join(binDir, 'postgres'));
  const hash = createHash('sha256').update(`${binDir}:${size}:${mtimeMs}:${process.getuid?.()}`);
  for (const file of MAKERS) hash.update(await readFile(file));
  return `cluster-${hash.digest('hex').slice(0, 16)}`;
}

/** Made beside its place and renamed, so that a copy is never taken of half a cluster. */
async function make(kept: string, binDir: string): Promise<boolean> {
  const making = await folderBeside(kept);
  if (making === undefined) return false;
  try {
    await (await startEmbedded({ dataDir: making, binDir, settings: { fsync: 'off' } })).stop();
    await rename(making, kept);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    if (!(await exists(kept))) throw error; // Else another test file was quicker.
  }
  return true;
}

/** Undefined when the modules belong to another user. */
async function folderBeside(kept: string): Promise<string | undefined> {
  try {
    await mkdir(CACHE, { recursive: true });
    return await mkdtemp(`${kept}-`);
  } catch {
    return undefined;
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
