// The subcommand `asyncapi`: prints the protocol as an AsyncAPI document, with the JSON Schema of
// every message.

import { Command } from 'commander';
import { createAsyncApiDocument } from '../protocol/asyncapi.js';

export function createAsyncApiCommand(): Command {
  return new Command('asyncapi')
    .description('print the protocol as an AsyncAPI 3 document, in JSON')
    .exitOverride()
    .action((_options: object, command: Command) => {
      const text = JSON.stringify(createAsyncApiDocument(), undefined, 2);
      command.configureOutput().writeOut?.(`${text}\n`);
    });
}
