// The subcommand `db`: maintenance of the database, embedded or configured, by subcommands.

import { Command } from 'commander';
import { createBackupCommand } from './backup.js';
import { createClearCommand } from './clear.js';
import { createConnectionsCommand } from './connections.js';
import { createCountCommand } from './count.js';
import { createDoctorCommand } from './doctor.js';
import { createFindCommand } from './find.js';
import { createKillIdleCommand } from './kill-idle.js';
import { createListenCommand } from './listen.js';
import { createLogSlowCommand } from './log-slow.js';
import { createMigrateCommand } from './migrate.js';
import { createMoveCommand } from './move.js';
import { createPruneCommand } from './prune.js';
import { createReindexCommand } from './reindex.js';
import { createRepairCommand } from './repair.js';
import { createRestoreCommand } from './restore.js';
import { createSizeCommand } from './size.js';
import { createSlowQueriesCommand } from './slow-queries.js';
import { createSqlCommand } from './sql.js';
import { createStatusCommand } from './status.js';
import { createUninstallCommand } from './uninstall.js';
import { createVacuumCommand } from './vacuum.js';
import { createVmsCommand } from './vms.js';

const SUBCOMMANDS = [
  createMigrateCommand,
  createStatusCommand,
  createVmsCommand,
  createCountCommand,
  createFindCommand,
  createClearCommand,
  createBackupCommand,
  createRestoreCommand,
  createMoveCommand,
  createPruneCommand,
  createVacuumCommand,
  createReindexCommand,
  createSizeCommand,
  createConnectionsCommand,
  createKillIdleCommand,
  createSlowQueriesCommand,
  createLogSlowCommand,
  createListenCommand,
  createSqlCommand,
  createDoctorCommand,
  createRepairCommand,
  createUninstallCommand,
];

export function createDbCommand(): Command {
  const command = new Command('db').description('work with the database').exitOverride();
  for (const subcommand of SUBCOMMANDS) command.addCommand(subcommand());
  return command;
}
