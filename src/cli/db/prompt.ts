// A plain prompt for SQL, for machines without psql. A semicolon at the end of a line ends a
// statement; a failed statement is reported, and the prompt continues.

import { createInterface } from 'node:readline';
import pg from 'pg';
import { withPlainSession } from '../../postgres/admin/session.js';
import { ExitCode } from '../exit.js';
import { printLine, printTable, printInfo, type TableCell } from '../print.js';

const READY = 'lablink=> ';
const MORE = 'lablink-> ';

/**
 * Reads statements from stdin until its end or `\q`. Without a terminal a failure sets exit code 1.
 */
export async function runPrompt(connection: pg.ClientConfig): Promise<void> {
  // Values stay as PostgreSQL formats them.
  const asText = { types: { getTypeParser: () => (value: unknown) => value } };
  await withPlainSession({ ...connection, ...asText }, 'sql', async (session) => {
    const lines = createInterface({
      input: process.stdin,
      output: process.stdin.isTTY ? process.stdout : undefined,
      prompt: READY,
    });
    if (process.stdin.isTTY) printLine('End a statement with a semicolon; \\q leaves.');
    let statement = '';
    lines.prompt();
    for await (const line of lines) {
      if (/^\s*(\\q|exit|quit)\s*$/.test(line) && statement === '') break;
      statement += `${line}\n`;
      const isWhole = /;\s*$/.test(line);
      if (isWhole) {
        await run(session, statement);
        statement = '';
      }
      lines.setPrompt(statement.trim() === '' ? READY : MORE);
      lines.prompt();
    }
    if (statement.trim() !== '') await run(session, statement);
  });
}

async function run(session: pg.Client, statement: string): Promise<void> {
  try {
    for (const result of [await session.query<Record<string, TableCell>>(statement)].flat())
      print(result);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.severity === 'FATAL') throw error;
    printInfo(`ERROR: ${error.message} (SQLSTATE ${error.code ?? '?'})`);
    if (!process.stdin.isTTY) process.exitCode = ExitCode.finding;
  }
}

function print({
  command,
  rowCount,
  fields,
  rows,
}: pg.QueryResult<Record<string, TableCell>>): void {
  if (fields.length === 0) {
    printLine([command, rowCount ?? ''].join(' ').trim());
    return;
  }
  const names = fields.map(({ name }) => name);
  printTable(
    names,
    rows.map((row) => names.map((name) => row[name])),
  );
  printLine(`(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`);
}
