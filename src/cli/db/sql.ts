// `db sql`: runs one statement, or opens a prompt: psql if it is installed, else a plain prompt.

import type { Command } from 'commander';
import type pg from 'pg';
import { createToolEnvironment } from '../../config/load.js';
import { openPsql } from '../../postgres/admin/psql.js';
import { withSession } from '../../postgres/admin/session.js';
import { ExitCode } from '../exit.js';
import { printJson, printLine } from './print.js';
import { runPrompt } from './prompt.js';
import { resolveDatabase, createSubcommand } from './subcommand.js';

export function createSqlCommand(): Command {
  return createSubcommand('sql', 'run SQL: one statement, or a prompt')
    .argument('[statement]', 'run this, and print each row as a JSON object')
    .option('--no-psql', 'open a plain prompt even if psql is installed')
    .action(async (statement: string | undefined, { psql }: { readonly psql: boolean }) => {
      const connection = await resolveDatabase();
      if (statement !== undefined) {
        await withSession(connection, 'sql', async (session) => runStatement(session, statement));
        return;
      }
      const code = psql ? await openPsql(connection, createToolEnvironment()) : undefined;
      if (code === undefined) await runPrompt(connection);
      else process.exitCode = mapPsqlCode(code);
    });
}

async function runStatement(session: pg.Client, statement: string): Promise<void> {
  for (const { command, rowCount, rows } of [await session.query(statement)].flat()) {
    for (const row of rows) printJson(row);
    if (rows.length === 0) printLine(`${command} ${rowCount ?? ''}`);
  }
}

/** Maps psql's exit status: 2 means that the connection was lost (psql, "Exit Status"). */
function mapPsqlCode(psqlCode: number): ExitCode {
  if (psqlCode === 0) return ExitCode.ok;
  return psqlCode === 2 ? ExitCode.unreachable : ExitCode.finding;
}
