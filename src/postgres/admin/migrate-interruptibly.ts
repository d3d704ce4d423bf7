// Migrations as a command runs them: an interrupt cancels the one under way, which is rolled back.

import type pg from 'pg';
import { migrate, type MigrateOptions, type MigrationReport } from '../migrations/migrate.js';
import { createInterruptedError } from './session.js';

/**
 * Migrates the schema, or checks that it is current.
 *
 * @throws MaintenanceError after an interrupt, and what `migrate` throws.
 */
export async function migrateInterruptibly(
  connection: pg.ClientConfig,
  mode: MigrateOptions['mode'],
  signal: AbortSignal | undefined,
): Promise<MigrationReport> {
  try {
    return await migrate(connection, { mode, signal });
  } catch (error) {
    if (signal?.aborted) throw createInterruptedError(error);
    throw error;
  }
}
