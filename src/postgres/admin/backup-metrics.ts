// The metrics of the latest successful backup, in a file for the textfile collector of Prometheus's
// node_exporter: a backup is no part of a gateway, which therefore cannot report its age.

import { chmod } from 'node:fs/promises';
import { replaceFile } from '../../processes/replace-file.js';
import { MaintenanceError } from './maintenance-error.js';

export interface FinishedBackup {
  readonly database: string;
  readonly bytes: number;
  readonly at: Date;
}

/**
 * Replaces the file at once, so that the collector never reads half of it.
 *
 * @throws MaintenanceError `failed`; the backup itself is complete.
 */
export async function writeBackupMetrics(path: string, backup: FinishedBackup): Promise<void> {
  try {
    await replaceFile(path, formatBackupMetrics(backup));
    // The collector runs under another account, and nothing here is secret.
    await chmod(path, 0o644);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MaintenanceError(
      'failed',
      `The backup is complete, but ${path} cannot be written: ${why}`,
      { cause },
    );
  }
}

function formatBackupMetrics({ database, bytes, at }: FinishedBackup): string {
  const label = `{database="${database.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"}`;
  return [
    '# HELP backup_last_success_timestamp_seconds When the latest successful backup began.',
    '# TYPE backup_last_success_timestamp_seconds gauge',
    `backup_last_success_timestamp_seconds${label} ${Math.trunc(at.getTime() / 1_000)}`,
    '# HELP backup_last_success_bytes The size of its file.',
    '# TYPE backup_last_success_bytes gauge',
    `backup_last_success_bytes${label} ${bytes}`,
    '',
  ].join('\n');
}
