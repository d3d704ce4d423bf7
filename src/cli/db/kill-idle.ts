// `db kill-idle`: ends idle sessions, but never one that listens.

import type { Command } from 'commander';
import {
  endIdleConnection,
  listIdleConnections,
  type DatabaseConnection,
  type EndResult,
} from '../../postgres/admin/connections.js';
import { ExitCode } from '../exit.js';
import { printJson, printList, formatSeconds } from '../print.js';
import {
  DRY_RUN_OPTION,
  createIntegerParser,
  JSON_OPTION,
  runOnDatabase,
  createSubcommand,
} from './subcommand.js';

interface KillIdleOptions {
  readonly minutes: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function createKillIdleCommand(): Command {
  return createSubcommand('kill-idle', 'end idle sessions, but never one that listens')
    .option(
      '--minutes <minutes>',
      'idle for at least this time',
      createIntegerParser(0, 1_000_000),
      10,
    )
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(async ({ minutes, dryRun, json }: KillIdleOptions) => {
      const done = await runOnDatabase('kill-idle', async (session) => {
        const outcomes: {
          connection: DatabaseConnection;
          outcome: EndResult | 'would be ended';
        }[] = [];
        for (const connection of await listIdleConnections(session, minutes)) {
          const outcome = dryRun
            ? 'would be ended'
            : await endIdleConnection(session, connection, minutes);
          outcomes.push({ connection, outcome });
        }
        return outcomes;
      });
      const rows = done.map(({ connection, outcome }) => ({ ...connection, outcome }));
      if (json) printJson(rows);
      else {
        printList(
          ['pid', 'user', 'application', 'idle for', 'outcome'],
          rows.map(({ pid, user, application, seconds, outcome }) => [
            pid,
            user,
            application,
            formatSeconds(seconds),
            outcome,
          ]),
          `No session has been idle for ${minutes} minutes.`,
        );
      }
      const isRefused = rows.some(({ outcome }) => outcome === 'not allowed');
      process.exitCode = isRefused ? ExitCode.finding : ExitCode.ok;
    });
}
