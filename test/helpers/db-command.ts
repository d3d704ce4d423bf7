// Subcommands, run in this process: what they print, and how they would end it.

import { CommanderError, type Command } from 'commander';
import { createDbCommand } from '../../src/cli/db/db.js';
import { selectExitCode, explainError } from '../../src/cli/exit.js';
import type { TestDatabase } from './database.js';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How the environment names a test's database, as its owner or as another role. */
export function formatUrl({ config }: Pick<TestDatabase, 'config'>, user = config.user): string {
  const host = encodeURIComponent(String(config.host));
  return `postgresql://${user}@localhost/${config.database}?host=${host}&port=${config.port}`;
}

/** Runs `db` on this database, as its owner or as another role. */
export const runDbOn = (
  database: TestDatabase,
  args: readonly string[],
  user?: string,
): Promise<Ended> => runDb(args, { DATABASE_URL: formatUrl(database, user) });

/** Runs `db` with these arguments in an environment with these variables. */
export const runDb = (
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Ended> => runInProcess(createDbCommand(), args, variables);

/**
 * Runs the command with these arguments in an environment with these variables. Runs follow each
 * other, because they share stdout.
 */
export async function runInProcess(
  command: Command,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Ended> {
  const printed = { stdout: '', stderr: '' };
  const restore = [process.stdout, process.stderr].map((stream) => {
    const write = stream.write.bind(stream);
    return () => void Object.assign(stream, { write });
  });
  const capture = (name: 'stdout' | 'stderr') => (text: string | Uint8Array) => {
    printed[name] += text.toString();
    return true;
  };
  Object.assign(process.stdout, { write: capture('stdout') });
  Object.assign(process.stderr, { write: capture('stderr') });
  Object.assign(process.env, variables);
  let code = 0;
  try {
    await command.parseAsync(args, { from: 'user' });
    code = Number(process.exitCode ?? 0);
  } catch (error) {
    if (!(error instanceof CommanderError)) printed.stderr += `${explainError(error)}\n`;
    code = selectExitCode(error);
  } finally {
    for (const back of restore) back();
    for (const name of Object.keys(variables)) Reflect.deleteProperty(process.env, name);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(signal);
    process.exitCode = undefined;
  }
  return { code, ...printed };
}
