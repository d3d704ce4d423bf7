// PostgreSQL's own programs: found where they are, of a version that fits the server, and run. No other file starts them.

import { spawn, type ChildProcess } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { listInstalledFolders } from '../embedded/binaries.js';
import { MaintenanceError } from './maintenance-error.js';

export type ToolName = 'pg_dump' | 'psql';

export interface Tools {
  readonly folder: string;
  readonly majorVersion: number;
}

/** Where to look: the folders of PATH, then those of installed servers. */
export function listToolFolders(environment: NodeJS.ProcessEnv): string[] {
  const path = environment.PATH?.split(delimiter).filter((folder) => folder !== '') ?? [];
  return [...new Set([...path, ...listInstalledFolders()])];
}

/**
 * The programs that fit a server of this version: of its own or, failing that, the oldest of the newer ones. An older
 * pg_dump refuses a newer server.
 * @throws MaintenanceError `tools` with what to install.
 */
export async function findTools(
  names: readonly ToolName[],
  serverVersion: number,
  folders: readonly string[],
): Promise<Tools> {
  const found: Tools[] = [];
  for (const folder of folders) {
    const majorVersion = await readToolVersion(folder, names);
    if (majorVersion !== undefined) found.push({ folder, majorVersion });
  }
  const [best] = found
    .filter(({ majorVersion }) => majorVersion >= serverVersion)
    .sort((one, other) => one.majorVersion - other.majorVersion);
  if (best !== undefined) return best;
  throw new MaintenanceError('tools', explainMissing(names, serverVersion, found));
}

/** The version of the programs in this folder; undefined unless all are there and run. */
async function readToolVersion(
  folder: string,
  names: readonly ToolName[],
): Promise<number | undefined> {
  const versions: number[] = [];
  for (const name of names) {
    const program = join(folder, name);
    const runs = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!runs) return undefined;
    const version = /\(PostgreSQL\) (\d+)/.exec(await readOutput(program, ['--version']))?.[1];
    if (version === undefined) return undefined;
    versions.push(Number(version));
  }
  return Math.min(...versions);
}

async function readOutput(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  await new Promise<void>((resolve) => child.once('close', resolve).once('error', () => resolve()));
  return Buffer.concat(parts).toString();
}

function explainMissing(
  names: readonly ToolName[],
  wanted: number,
  found: readonly Tools[],
): string {
  const what = names.join(' and ');
  const there =
    found.length === 0
      ? `${what} ${names.length === 1 ? 'is' : 'are'} not on this machine`
      : `${what} here: PostgreSQL ${[...new Set(found.map((tools) => tools.majorVersion))].join(', ')}; the server is ${wanted}, and older ones cannot be used`;
  return (
    `${there}. Install PostgreSQL's client programs, version ${wanted} or later ` +
    `(Debian: apt install postgresql-client-${wanted}; macOS: brew install postgresql@${wanted}).`
  );
}

export interface ToolRun {
  readonly tools: Tools;
  readonly name: ToolName;
  readonly args: readonly string[];
  /** As `withLibpq` gives it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Messages are kept up to this; of more than that the beginning is dropped. */
const MAX_SAID = 8_000;

/**
 * Runs a program that gives output, and has `take` read it.
 * @throws MaintenanceError with what the program said when it failed; what `take` throws.
 */
export async function readFromTool(
  run: ToolRun,
  take: (output: Readable) => Promise<void>,
): Promise<void> {
  const child = startTool(run, ['ignore', 'pipe', 'pipe']);
  const { stdout } = child;
  if (stdout === null) throw new Error('the program has no output');
  const [taken, outcome] = await Promise.allSettled([
    take(stdout).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    }),
    waitForExit(child, run),
  ]);
  // Who failed first is told of: the reader fails too when the program has, and the program when nobody reads it.
  const byItself = run.signal.aborted || (child.exitCode !== null && !isUnread(outcome));
  if (outcome.status === 'rejected' && (byItself || taken.status === 'fulfilled')) {
    throw outcome.reason;
  }
  if (taken.status === 'rejected') throw taken.reason;
}

function isUnread(outcome: PromiseSettledResult<void>): boolean {
  return outcome.status === 'rejected' && String(outcome.reason).includes('Broken pipe');
}

/**
 * Runs a program that reads `input`.
 * @throws MaintenanceError with what the program said when it failed.
 */
export async function writeToTool(run: ToolRun, input: Readable): Promise<void> {
  const child = startTool(run, ['pipe', 'ignore', 'pipe']);
  const { stdin } = child;
  if (stdin === null) throw new Error('the program has no input');
  const ended = waitForExit(child, run);
  // Before its input is closed: psql commits what it has when its input ends, and this end is none.
  input.once('error', () => child.kill('SIGKILL'));
  const written = pipeline(input, stdin).catch((error: unknown) => {
    // A program that gave up closes its input; why, it says itself.
    if (!isClosedPipe(error)) throw error;
  });
  const [outcome, failure] = await Promise.allSettled([ended, written]);
  if (failure.status === 'rejected') throw failure.reason;
  if (outcome.status === 'rejected') throw outcome.reason;
}

function isClosedPipe(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(code));
}

function startTool(
  { tools, name, args, environment, signal }: ToolRun,
  stdio: ('ignore' | 'pipe')[],
) {
  return spawn(join(tools.folder, name), args, { env: environment, stdio, signal });
}

async function waitForExit(child: ChildProcess, { name, signal }: ToolRun): Promise<void> {
  let said = '';
  child.stderr?.on('data', (part: Buffer) => (said = (said + part.toString()).slice(-MAX_SAID)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', reject);
  }).catch((cause: unknown) => {
    if (signal.aborted) throw new MaintenanceError('failed', 'interrupted', { cause });
    throw cause;
  });
  if (code !== 0) throw createToolError(name, said.trim());
}

/** What it said, in one line; one whose server went away is told as that. */
function createToolError(name: string, said: string): MaintenanceError {
  const text = said.replaceAll(/\s*\n\s*/g, '; ') || 'it ended without a word';
  const away = /connection to server .* failed|server closed the connection|terminating connection/;
  const code = away.test(text)
    ? 'unreachable'
    : /permission denied|must be owner/.test(text)
      ? 'rights'
      : 'failed';
  return new MaintenanceError(code, `${name}: ${text}`);
}

/** Runs a program on this terminal, which has the keys meanwhile: an interrupt is its alone. Gives its exit code. */
export async function attachTool(
  tools: Tools,
  name: ToolName,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  try {
    const child = spawn(join(tools.folder, name), { env: environment, stdio: 'inherit' });
    return await new Promise<number>((resolve, reject) => {
      child.once('close', (code) => resolve(code ?? 1));
      child.once('error', reject);
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}
