// What the subcommands of `db` have in common: how they are made, which database they work on, and how they end.

import { Command, InvalidArgumentError } from 'commander';
import type pg from 'pg';
import { loadConfig } from '../../config/load.js';
import { withSession } from '../../postgres/admin/session.js';
import { findDatabase } from '../find-database.js';

export const JSON_OPTION = ['--json', 'print JSON, for programs'] as const;
export const DRY_RUN_OPTION = ['--dry-run', 'tell what would be done, and do nothing'] as const;

/** Bad usage of it is thrown, so that the program ends with the code for that. */
export function createSubcommand(name: string, description: string): Command {
  return new Command(name).description(description).exitOverride();
}

/** The direct way to the database that the environment names, or that `serve` runs here. */
export function resolveDatabase(): Promise<pg.ClientConfig> {
  return findDatabase(loadConfig());
}

/** Does `work` on a connection to it, named after its purpose. */
export async function runOnDatabase<T>(
  purpose: string,
  work: (session: pg.Client) => Promise<T>,
): Promise<T> {
  return withSession(await resolveDatabase(), purpose, work);
}

/** Reads an integer as an option takes it. */
export function createIntegerParser(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,10}$/.test(text) && value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`Expected an integer from ${minimum} to ${maximum}.`);
  };
}

/** Aborted when somebody interrupts: what was begun is then undone before the program ends. */
export function listenForInterrupt(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return controller.signal;
}
