// PostgreSQL's client programs: finding a version that fits the server, and running them.
// Maintenance starts them only here.

import { spawn, type ChildProcess } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { listInstalledFolders } from '../embedded/binaries.js';
import { MaintenanceError } from './maintenance-error.js';
import { createInterruptedError } from './session.js';

export type ToolName = 'pg_dump' | 'psql';

/** A folder with client programs, and their lowest major version. */
export interface Tools {
  readonly folder: string;
  readonly majorVersion: number;
}

/** Lists the folders to search: PATH, then the folders of installed servers. */
export function listToolFolders(environment: NodeJS.ProcessEnv): string[] {
  const path = environment.PATH?.split(delimiter).filter((folder) => folder !== '') ?? [];
  return [...new Set([...path, ...listInstalledFolders()])];
}

/**
 * Finds the programs for a server of this major version: the same version, else the lowest newer
 * one. An older pg_dump refuses a newer server.
 *
 * @throws MaintenanceError `tools`, which says what to install.
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
    .sort((a, b) => a.majorVersion - b.majorVersion);
  if (best !== undefined) return best;
  throw new MaintenanceError('tools', explainMissing(names, serverVersion, found));
}

/** Reads the programs' lowest version; undefined if one is missing or does not run. */
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
  const problem =
    found.length === 0
      ? `${what} ${names.length === 1 ? 'is' : 'are'} not on this machine`
      : `${what} here: PostgreSQL ${[...new Set(found.map((tools) => tools.majorVersion))].join(', ')}; the server is ${wanted}, and older ones cannot be used`;
  return (
    `${problem}. Install PostgreSQL's client programs, version ${wanted} or later ` +
    `(Debian: apt install postgresql-client-${wanted}; macOS: brew install postgresql@${wanted}).`
  );
}

/** How to run a program. */
export interface ToolRun {
  readonly tools: Tools;
  readonly name: ToolName;
  readonly args: readonly string[];
  /** From `withLibpqEnvironment`. */
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** How many of the last characters of stderr are kept. */
const MAX_STDERR_CHARACTERS = 8_000;

/**
 * Runs a program, and passes its stdout to `take`.
 *
 * @throws MaintenanceError with the program's messages if it fails; what `take` throws.
 */
export async function readFromTool(
  run: ToolRun,
  take: (output: Readable) => Promise<void>,
): Promise<void> {
  const child = startTool(run, ['ignore', 'pipe', 'pipe']);
  const { stdout } = child;
  if (stdout === null) throw new Error('the program has no stdout');
  const [taken, outcome] = await Promise.allSettled([
    take(stdout).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    }),
    waitForExit(child, run),
  ]);
  // The first failure is reported: a failed program makes the reader fail, and the reverse.
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
 * Runs a program with `input` as its stdin.
 *
 * @throws MaintenanceError with the program's messages if it fails; the error of `input`.
 */
export async function writeToTool(run: ToolRun, input: Readable): Promise<void> {
  const child = startTool(run, ['pipe', 'ignore', 'pipe']);
  const { stdin } = child;
  if (stdin === null) throw new Error('the program has no stdin');
  const ended = waitForExit(child, run);
  // psql commits at the end of its input, so it is killed before a broken input closes.
  input.once('error', () => child.kill('SIGKILL'));
  const written = pipeline(input, stdin).catch((error: unknown) => {
    // A program that fails closes its stdin, and reports why itself.
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
  let messages = '';
  child.stderr?.on(
    'data',
    (part: Buffer) => (messages = (messages + part.toString()).slice(-MAX_STDERR_CHARACTERS)),
  );
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', reject);
  }).catch((cause: unknown) => {
    if (signal.aborted) throw createInterruptedError(cause);
    throw cause;
  });
  if (code !== 0) throw createToolError(name, messages.trim());
}

/** Puts the program's messages on one line, and recognizes a lost server and missing rights. */
function createToolError(name: string, messages: string): MaintenanceError {
  const text = messages.replaceAll(/\s*\n\s*/g, '; ') || 'it failed without a message';
  const isLost =
    /connection to server .* failed|server closed the connection|terminating connection/;
  const code = isLost.test(text)
    ? 'unreachable'
    : /permission denied|must be owner/.test(text)
      ? 'rights'
      : 'failed';
  return new MaintenanceError(code, `${name}: ${text}`);
}

/** Runs a program on this terminal, and returns its exit code. Only the program handles Ctrl-C. */
export async function attachTool(
  tools: Tools,
  name: ToolName,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  try {
    const child = spawn(join(tools.folder, name), args, { env: environment, stdio: 'inherit' });
    return await new Promise<number>((resolve, reject) => {
      child.once('close', (code) => resolve(code ?? 1));
      child.once('error', reject);
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}
