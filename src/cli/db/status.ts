// `db status`: shows the applied migrations, and what was changed in the schema afterwards.

import type { Command } from 'commander';
import { readSchemaStatus, type SchemaStatus } from '../../postgres/migrations/migrate.js';
import { withSession } from '../../postgres/admin/session.js';
import { findSchemaDrift, type SchemaDrift } from '../../postgres/admin/schema-drift.js';
import { ExitCode } from '../exit.js';
import { printJson, printLine, printTable } from '../print.js';
import { JSON_OPTION, resolveDatabase, createSubcommand } from './subcommand.js';

type Drift = Pick<SchemaDrift, 'triggers' | 'indexes'>;

export function createStatusCommand(): Command {
  return createSubcommand('status', 'show the schema: migrations, triggers, indexes')
    .option(...JSON_OPTION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const connection = await resolveDatabase();
      const status = await readSchemaStatus(connection);
      const isCurrent = status.problem === undefined && status.pending.length === 0;
      // An outdated schema rightly has other triggers.
      const drift = isCurrent
        ? await withSession(connection, 'status', findSchemaDrift)
        : { triggers: [], indexes: [] };
      if (json) printJson(buildReport(status, drift));
      else print(status, drift);
      const isAsMade = drift.triggers.length + drift.indexes.length === 0;
      if (!isCurrent) process.exitCode = ExitCode.schema;
      else process.exitCode = isAsMade ? ExitCode.ok : ExitCode.finding;
    });
}

function buildReport({ applied, pending, problem }: SchemaStatus, { triggers, indexes }: Drift) {
  return {
    applied: applied.map(({ name, appliedAt }) => ({ name, applied_at: appliedAt })),
    pending,
    problem: problem?.message ?? null,
    triggers,
    indexes,
  };
}

function print({ applied, pending, problem }: SchemaStatus, { triggers, indexes }: Drift): void {
  printTable(
    ['migration', 'applied'],
    [
      ...applied.map(({ name, appliedAt }) => [name, appliedAt.toISOString()]),
      ...pending.map((name) => [name, 'pending: run "lablink-gateway db migrate"']),
    ],
  );
  for (const line of [
    ...(problem === undefined ? [] : [problem.message]),
    ...triggers,
    ...indexes,
  ]) {
    printLine(line);
  }
}
