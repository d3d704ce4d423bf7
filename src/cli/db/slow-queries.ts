// `db slow-queries`: lists queries that have been running for long.

import type { Command } from 'commander';
import { listSlowQueries } from '../../postgres/admin/slow-queries.js';
import { printJson, printList, formatSeconds } from '../print.js';
import { createIntegerParser, JSON_OPTION, runOnDatabase, createSubcommand } from './subcommand.js';

interface SlowQueriesOptions {
  readonly seconds: number;
  readonly json?: boolean;
}

export function createSlowQueriesCommand(): Command {
  return createSubcommand('slow-queries', 'list queries that have been running for long')
    .option(
      '--seconds <seconds>',
      'running for at least this time',
      createIntegerParser(0, 1_000_000),
      5,
    )
    .option(...JSON_OPTION)
    .action(async ({ seconds, json }: SlowQueriesOptions) => {
      const found = await runOnDatabase('slow-queries', (session) =>
        listSlowQueries(session, seconds),
      );
      if (json) printJson(found);
      else {
        printList(
          ['pid', 'user', 'application', 'for', 'waits for', 'query'],
          found.map((query) => [
            query.pid,
            query.user,
            query.application,
            formatSeconds(query.seconds),
            query.waits,
            query.query,
          ]),
          `No query has been running for ${seconds} s.`,
        );
      }
    });
}
