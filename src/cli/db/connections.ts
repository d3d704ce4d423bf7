// `db connections`: lists the clients of the database, and what they do.

import type { Command } from 'commander';
import { withSession } from '../../postgres/admin/session.js';
import { listConnections, type DatabaseConnection } from '../../postgres/admin/connections.js';
import { printJson, printList, formatSeconds } from '../print.js';
import { startMeasuring } from './connection-header.js';
import {
  createSubcommand,
  JSON_OPTION,
  listenForInterrupt,
  resolveDatabase,
} from './subcommand.js';

const QUERY_CHARACTERS = 60;

export function createConnectionsCommand(): Command {
  return createSubcommand('connections', 'list the clients of the database')
    .option(...JSON_OPTION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const connection = await resolveDatabase();
      const measure = startMeasuring(connection);
      const found = await withSession(
        connection,
        'connections',
        async (session) => {
          measure.connected();
          return listConnections(session);
        },
        listenForInterrupt(),
      );
      if (json) printJson(found);
      else printConnections(found);
    });
}

/** Prints a table; a session that listens shows `(listens)` instead of its query. */
export function printConnections(found: readonly DatabaseConnection[]): void {
  printList(
    ['pid', 'user', 'application', 'address', 'state', 'for', 'last query'],
    found.map(({ pid, user, application, address, state, seconds, listens, query }) => [
      pid,
      user,
      application,
      address ?? 'local',
      state,
      formatSeconds(seconds),
      listens ? '(listens)' : query.slice(0, QUERY_CHARACTERS),
    ]),
    'No other client is connected.',
  );
}
