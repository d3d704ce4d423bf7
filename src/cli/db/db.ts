// The subcommand `db`: what operators do with the database itself, the embedded one included. A table of its own
// subcommands.

import { Command } from 'commander';
import { backupCommand } from './backup.js';
import { clearCommand } from './clear.js';
import { connectionsCommand } from './connections.js';
import { countCommand } from './count.js';
import { doctorCommand } from './doctor.js';
import { findCommand } from './find.js';
import { killIdleCommand } from './kill-idle.js';
import { listenCommand } from './listen.js';
import { logSlowCommand } from './log-slow.js';
import { migrateCommand } from './migrate.js';
import { moveCommand } from './move.js';
import { reindexCommand } from './reindex.js';
import { restoreCommand } from './restore.js';
import { sizeCommand } from './size.js';
import { slowQueriesCommand } from './slow-queries.js';
import { sqlCommand } from './sql.js';
import { statusCommand } from './status.js';
import { vacuumCommand } from './vacuum.js';
import { vmsCommand } from './vms.js';

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
