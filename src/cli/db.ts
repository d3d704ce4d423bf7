// The subcommand `db`: what operators do with the database itself, the embedded one included. A table of its own
// subcommands.

import { Command } from 'commander';
import { backupCommand } from './db/backup.js';
import { clearCommand } from './db/clear.js';
import { connectionsCommand } from './db/connections.js';
import { countCommand } from './db/count.js';
import { doctorCommand } from './db/doctor.js';
import { findCommand } from './db/find.js';
import { killIdleCommand } from './db/kill-idle.js';
import { listenCommand } from './db/listen.js';
import { logSlowCommand } from './db/log-slow.js';
import { migrateCommand } from './db/migrate.js';
import { moveCommand } from './db/move.js';
import { reindexCommand } from './db/reindex.js';
import { restoreCommand } from './db/restore.js';
import { sizeCommand } from './db/size.js';
import { slowQueriesCommand } from './db/slow-queries.js';
import { sqlCommand } from './db/sql.js';
import { statusCommand } from './db/status.js';
import { vacuumCommand } from './db/vacuum.js';
import { vmsCommand } from './db/vms.js';

const SUBCOMMANDS = [
  ...[migrateCommand, statusCommand],
  ...[vmsCommand, countCommand, findCommand, clearCommand],
  ...[backupCommand, restoreCommand, moveCommand],
  ...[vacuumCommand, reindexCommand, sizeCommand],
  ...[connectionsCommand, killIdleCommand, slowQueriesCommand, logSlowCommand],
  ...[listenCommand, sqlCommand, doctorCommand],
];

export function dbCommand(): Command {
  const command = new Command('db')
    .description('work with the database')
    .exitOverride()
    .hook('preAction', () => {
      // Who reads what is printed may have had enough; what is being done goes on.
      process.stdout.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error;
      });
    });
  for (const subcommand of SUBCOMMANDS) command.addCommand(subcommand());
  return command;
}
