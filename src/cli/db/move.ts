// `db move`: copies the database to another server, compares both, and explains how to switch.

import type { Command } from 'commander';
import type pg from 'pg';
import { readDatabaseUrl } from '../../config/database-url.js';
import { completeDatabase } from '../../config/databases.js';
import { createToolEnvironment } from '../../config/load.js';
import { chooseServer } from '../../postgres/choose-server.js';
import { moveDatabase, type MoveReport } from '../../postgres/admin/move.js';
import { ExitCode, UsageError } from '../exit.js';
import { printJson, printLine, printTable } from '../print.js';
import {
  DRY_RUN_OPTION,
  listenForInterrupt,
  JSON_OPTION,
  resolveDatabase,
  createSubcommand,
} from './subcommand.js';

interface MoveCommandOptions {
  readonly to: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function createMoveCommand(): Command {
  return createSubcommand('move', 'copy the database to another server, for example a managed one')
    .requiredOption(
      '--to <url>',
      'an empty database there; its password may be in ~/.pgpass instead',
    )
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(async ({ to, dryRun = false, json }: MoveCommandOptions) => {
      const report = await moveDatabase({
        dryRun,
        target: await parseTarget(to),
        connection: await resolveDatabase(),
        environment: createToolEnvironment(),
        signal: listenForInterrupt(),
      });
      if (json) printJson({ ...report, dry_run: dryRun });
      else print(report, dryRun);
      if (report.changedSince.length > 0) process.exitCode = ExitCode.finding;
    });
}

/** @throws UsageError if the address cannot be used */
function parseTarget(text: string): Promise<pg.ClientConfig> {
  const url = readDatabaseUrl(text);
  if (typeof url === 'string') throw new UsageError(`--to (not shown): ${url}`);
  const problems: string[] = [];
  const target = completeDatabase(url, '--to (not shown)', problems);
  if (problems[0] !== undefined) throw new UsageError(problems[0]);
  return chooseServer(target);
}

function print(report: MoveReport, dryRun: boolean): void {
  const { from, to, tables, triggers, sequences, changedSince } = report;
  printTable(
    ['table', 'rows'],
    Object.entries(tables).map(([name, rows]) => [name, rows]),
  );
  const what = `PostgreSQL ${from} to ${to}: rows, ${triggers} triggers and ${sequences} sequences`;
  printLine(dryRun ? `Would copy and compare, from ${what}.` : `Copied from ${what} are equal.`);
  if (changedSince.length > 0) {
    printLine(
      `Changed here after the copy, and missing there: ${changedSince.join(', ')}. Begin with step 1.`,
    );
  }
  for (const step of STEPS) printLine(step);
}

const STEPS = [
  'To switch:',
  '1. Stop the gateways and all other writers of this database; agents and dashboards wait, and reconnect by themselves.',
  '2. If anything was written since this copy: empty the database there (DROP SCHEMA public CASCADE; CREATE SCHEMA public), and run this command again.',
  '3. Give the gateways the new DATABASE_URL (and LISTEN_DATABASE_URL, where DATABASE_URL goes through a pooler), with sslmode=verify-full.',
  '4. Start one, and check: "lablink-gateway healthcheck" and "lablink-gateway db doctor" with that DATABASE_URL. Then the others.',
  '5. Point every other writer there too. Keep this server, stopped, until a backup of the new one exists ("db backup --verify").',
  'To return: as long as there are no writes on the new server, give the gateways the old DATABASE_URL.',
];
