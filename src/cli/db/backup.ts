// `db backup`: writes the whole database to a file, completely or not at all.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { createToolEnvironment } from '../../config/load.js';
import { backUp, planBackup, type BackupReport } from '../../postgres/admin/backup.js';
import { formatBytes, formatCount, printJson, printLine } from '../print.js';
import {
  DRY_RUN_OPTION,
  createIntegerParser,
  listenForInterrupt,
  JSON_OPTION,
  resolveDatabase,
  createSubcommand,
} from './subcommand.js';

interface BackupCommandOptions {
  readonly dir: string;
  readonly keepDays: number;
  readonly gzip?: boolean;
  readonly upload?: string;
  readonly verify?: boolean;
  readonly metricsFile?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function createBackupCommand(): Command {
  return createSubcommand('backup', 'write the whole database to a file, as plain SQL (pg_dump)')
    .option('--dir <folder>', 'the folder of the backups', 'backups')
    .option(
      '--keep-days <days>',
      'remove older backups after a success, but never the newest',
      createIntegerParser(0, 36_500),
      7,
    )
    .option('--gzip', 'compress the file')
    .option(
      '--upload <command>',
      'then run this command in /bin/sh; {} is the file, as in: aws s3 cp {} s3://lablink-backups/',
    )
    .option('--verify', 'restore it into a scratch database, and compare every row')
    .option(
      '--metrics-file <file>',
      'after a success, write its time here for the textfile collector of node_exporter',
    )
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: BackupCommandOptions) => {
      // Ignoring the signal turns a file size limit (ulimit -f) into an error, like a full disk.
      process.on('SIGXFSZ', () => undefined);
      const { dir, keepDays, gzip = false, verify = false, upload } = options;
      const { metricsFile, dryRun, json } = options;
      const wanted = {
        gzip,
        verify,
        keepDays,
        folder: resolve(dir),
        uploadCommand: upload,
        metricsFile: metricsFile && resolve(metricsFile),
        connection: await resolveDatabase(),
        environment: createToolEnvironment(),
        now: new Date(),
        signal: listenForInterrupt(),
      };
      if (dryRun) {
        const { file, tools } = await planBackup(wanted);
        if (json) printJson({ file, pg_dump: tools.folder });
        else printLine(`Would write ${file} with ${tools.folder}/pg_dump.`);
        return;
      }
      const report = await backUp(wanted);
      if (json) printJson(report);
      else print(report);
    });
}

function print({ file, bytes, vms, verified, uploaded, removed, swept }: BackupReport): void {
  if (swept.length > 0) printLine(`Removed, left by killed backups: ${swept.join(', ')}`);
  const done = [...(verified ? ['verified'] : []), ...(uploaded ? ['uploaded'] : [])];
  printLine([`${file}: ${formatCount(vms, 'VM')}, ${formatBytes(bytes)}`, ...done].join(', '));
  if (removed.length > 0) printLine(`Removed as too old: ${removed.join(', ')}`);
}
