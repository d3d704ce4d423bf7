// `db size`: how large the database and its tables are.

import type { Command } from 'commander';
import { readSizes } from '../../postgres/admin/tables.js';
import { bytesText, printJson, printTable } from './print.js';
import { JSON_OPTION, onDatabase, subcommand } from './subcommand.js';

export function sizeCommand(): Command {
  return subcommand('size', 'show the size of the database and of its tables')
    .option(...JSON_OPTION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { database, bytes, tables } = await onDatabase('size', readSizes);
      if (json) {
        printJson({
          database,
          bytes,
          tables: tables.map(({ indexBytes, ...table }) => ({ ...table, index_bytes: indexBytes })),
        });
        return;
      }
      printTable(
        ['table', 'rows (about)', 'size', 'of which indexes'],
        [
          ...tables.map((table) => [
            ...[table.name, table.rows],
            ...[bytesText(table.bytes), bytesText(table.indexBytes)],
          ]),
          [
            `database ${database}`,
            tables.reduce((sum, { rows }) => sum + rows, 0),
            bytesText(bytes),
          ],
        ],
      );
    });
}
