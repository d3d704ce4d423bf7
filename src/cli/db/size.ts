// `db size`: shows the sizes of the database and its tables.

import type { Command } from 'commander';
import { readSizes } from '../../postgres/admin/tables.js';
import { formatBytes, printJson, printTable } from '../print.js';
import { JSON_OPTION, runOnDatabase, createSubcommand } from './subcommand.js';

export function createSizeCommand(): Command {
  return createSubcommand('size', 'show the size of the database and of its tables')
    .option(...JSON_OPTION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { database, bytes, tables } = await runOnDatabase('size', readSizes);
      if (json) {
        printJson({
          database,
          bytes,
          tables: tables.map(({ indexBytes, ...table }) => ({ ...table, index_bytes: indexBytes })),
        });
        return;
      }
      printTable(
        ['table', 'rows (about)', 'size', 'indexes'],
        [
          ...tables.map((table) => [
            table.name,
            table.rows,
            formatBytes(table.bytes),
            formatBytes(table.indexBytes),
          ]),
          [
            `database ${database}`,
            tables.reduce((sum, { rows }) => sum + rows, 0),
            formatBytes(bytes),
          ],
        ],
      );
    });
}
