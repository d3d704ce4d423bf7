// Common parts of the subcommands of `db`: how they are created, their database, and interrupts.

import { Command, InvalidArgumentError } from 'commander';
import type pg from 'pg';
import { loadConfig } from '../../config/load.js';
import { withSession } from '../../postgres/admin/session.js';
import { findDatabase } from '../find-database.js';

export const JSON_OPTION = ['--json', 'print JSON, for programs'] as const;
export const DRY_RUN_OPTION = ['--dry-run', 'print what would be done, and do nothing'] as const;

/**
 * Creates a subcommand. Bad usage is thrown, so that the program ends with the exit code for usage.
 */
export function createSubcommand(name: string, description: string): Command {
  return new Command(name).description(description).exitOverride();
}

/**
 * Resolves the direct connection to the configured database, or to the one that `serve` runs here.
 */
export function resolveDatabase(): Promise<pg.ClientConfig> {
  return findDatabase(loadConfig());
}

/**
 * Runs `work` on a connection to that database, named after its purpose. SIGINT and SIGTERM cancel
 * the statement under way on the server, and end the command.
 */
export async function runOnDatabase<T>(
  purpose: string,
  work: (session: pg.Client) => Promise<T>,
): Promise<T> {
  return withSession(await resolveDatabase(), purpose, work, listenForInterrupt());
}

/** Creates a parser for an option with an integer value. */
export function createIntegerParser(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,10}$/.test(text) && value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`Expected an integer from ${minimum} to ${maximum}.`);
  };
}

/** Returns a signal that SIGINT and SIGTERM abort: the operation is then undone before the end. */
export function listenForInterrupt(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return controller.signal;
}
