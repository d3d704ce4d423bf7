// `db slow-queries`: what has been under way for long.

import type { Command } from 'commander';
import { listSlowQueries } from '../../postgres/admin/slow-queries.js';
import { printJson, printTable, secondsText } from './print.js';
import { integer, JSON_OPTION, onDatabase, subcommand } from './subcommand.js';

interface SlowQueriesOptions {
  readonly seconds: number;
  readonly json?: boolean;
}

export function slowQueriesCommand(): Command {
  return subcommand('slow-queries', 'show queries that have been under way for long')
    .option('--seconds <seconds>', 'for so long', integer(0, 1_000_000), 5)
    .option(...JSON_OPTION)
    .action(async ({ seconds, json }: SlowQueriesOptions) => {
      const found = await onDatabase('slow-queries', (session) =>
        listSlowQueries(session, seconds),
      );
      if (json) printJson(found);
      else {
        printTable(
          ['pid', 'user', 'application', 'for', 'waits for', 'query'],
          found.map((query) => [
            ...[query.pid, query.user, query.application],
            ...[secondsText(query.seconds), query.waits, query.query],
          ]),
        );
      }
    });
}
