// `db sql`: one statement, or a prompt: psql where it is installed, else a plain one.

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
  return createSubcommand('sql', 'run SQL: one statement, or what is typed at a prompt')
    .argument('[statement]', 'run this, and print what it gives, a JSON object a row')
    .option('--no-psql', 'a plain prompt, even where psql is installed')
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

/** psql, "Exit Status": 2 when the connection went bad. */
function mapPsqlCode(psqlCode: number): ExitCode {
  if (psqlCode === 0) return ExitCode.ok;
  return psqlCode === 2 ? ExitCode.unreachable : ExitCode.finding;
}
