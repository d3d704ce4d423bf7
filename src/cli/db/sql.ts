// `db sql`: runs one statement, or opens a prompt: psql if it is installed, else a plain prompt.

import type { Command } from 'commander';
import pg from 'pg';
import { createToolEnvironment } from '../../config/load.js';
import { openPsql } from '../../postgres/admin/psql.js';
import { withPlainSession } from '../../postgres/admin/session.js';
import { ExitCode } from '../exit.js';
import { printJson, printLine } from '../print.js';
import { runPrompt } from './prompt.js';
import { listenForInterrupt, resolveDatabase, createSubcommand } from './subcommand.js';

export function createSqlCommand(): Command {
  return createSubcommand('sql', 'run SQL: one statement, or a prompt')
    .argument('[statement]', 'run this, and print each row as a JSON object')
    .option('--no-psql', 'open a plain prompt even if psql is installed')
    .action(async (statement: string | undefined, { psql }: { readonly psql: boolean }) => {
      const connection = await resolveDatabase();
      if (statement !== undefined) {
        await withPlainSession(
          { ...connection, types: TIMES_AS_TEXT },
          'sql',
          (session) => runStatement(session, statement),
          listenForInterrupt(),
        );
        return;
      }
      const code = psql ? await openPsql(connection, createToolEnvironment()) : undefined;
      if (code === undefined) await runPrompt(connection);
      else process.exitCode = mapPsqlCode(code);
    });
}

/**
 * Times stay as PostgreSQL writes them: a time without a zone is none of this machine's zone. The
 * types are date, time, timestamp, timestamptz, interval and timetz, and the arrays of the first
 * five.
 */
const TIMES = [1082, 1083, 1114, 1184, 1186, 1266, 1182, 1183, 1115, 1185, 1187];
const TIMES_AS_TEXT: pg.CustomTypesConfig = {
  getTypeParser: (type, format): ((value: unknown) => unknown) =>
    TIMES.includes(type)
      ? (value) => value
      : (pg.types.getTypeParser(type, format) as (value: unknown) => unknown),
};

async function runStatement(session: pg.Client, statement: string): Promise<void> {
  await session.query(`SET DateStyle TO 'ISO'`);
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
