// The subcommand `config`: what the environment configures.

import { Command } from 'commander';
import { createCheckCommand } from './check.js';

export function createConfigCommand(): Command {
  return new Command('config')
    .description('work with the configuration')
    .addCommand(createCheckCommand());
}
