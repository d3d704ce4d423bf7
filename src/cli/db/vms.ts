// `db vms`: lists all VMs, or those of a status.

import type { Command } from 'commander';
import { UsageError } from '../exit.js';
import { JSON_OPTION, createSubcommand } from './subcommand.js';
import { COMMANDS_OPTION, printVms } from './vm-table.js';

interface VmsOptions {
  readonly available?: boolean;
  readonly inUse?: boolean;
  readonly status?: string;
  readonly commands?: boolean;
  readonly json?: boolean;
}

export function createVmsCommand(): Command {
  return createSubcommand('vms', 'list the VMs')
    .option('--available', 'only available VMs, the oldest first')
    .option('--in-use', 'only VMs in use, the latest change first')
    .option('--status <status>', 'only VMs of this status')
    .option(...COMMANDS_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: VmsOptions) => {
      const { commands = false, json = false } = options;
      await printVms({ status: chooseStatus(options), email: undefined, commands }, json);
    });
}

/** @throws UsageError if more than one status is given. */
function chooseStatus({ available, inUse, status }: VmsOptions): string | undefined {
  const [first, ...others] = [
    ...(available ? ['available'] : []),
    ...(inUse ? ['in-use'] : []),
    ...(status === undefined ? [] : [status]),
  ];
  if (others.length > 0) throw new UsageError('A VM has one status: give only one.');
  return first;
}
