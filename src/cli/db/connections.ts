// `db connections`: who is connected, and what each is doing.

import type { Command } from 'commander';
import { listConnections, type DatabaseConnection } from '../../postgres/admin/connections.js';
import { printJson, printTable, formatSeconds } from './print.js';
import { JSON_OPTION, runOnDatabase, createSubcommand } from './subcommand.js';

const QUERY_CHARACTERS = 60;

export function createConnectionsCommand(): Command {
  return createSubcommand('connections', 'show who is connected to the database')
    .option(...JSON_OPTION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const found = await runOnDatabase('connections', listConnections);
      if (json) printJson(found);
      else printConnections(found);
    });
}

export function printConnections(found: readonly DatabaseConnection[]): void {
  printTable(
    ['pid', 'user', 'application', 'address', 'state', 'for', 'last query'],
    found.map(({ pid, user, application, address, state, seconds, listens, query }) => [
      ...[pid, user, application, address ?? 'local', state],
      formatSeconds(seconds),
      listens ? '(listens)' : query.slice(0, QUERY_CHARACTERS),
    ]),
  );
}
