#!/usr/bin/env node
// The command `lablink-gateway`: a table of subcommands, and the exit code of each kind of failure.

import { Command, CommanderError } from 'commander';
import { exitCodeOf, explain } from './cli/exit.js';
import { findGateway } from './cli/gateway.js';
import { loadConfig } from './config/load.js';

const findThisGateway = () => findGateway(loadConfig());

/** Only the one that is called is loaded: an agent, on a small VM, needs no web server. */
const SUBCOMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./cli/serve.js')).serveCommand(),
  agent: async () => (await import('./cli/agent.js')).agentCommand(),
  demo: async () => (await import('./cli/demo.js')).demoCommand(),
  token: async () => (await import('./cli/token.js')).tokenCommand(),
  openapi: async () => (await import('./cli/openapi.js')).openApiCommand(),
  watch: async () => (await import('./cli/watch.js')).watchCommand(findThisGateway),
  db: async () => (await import('./cli/db/db.js')).dbCommand(),
  healthcheck: async () =>
    (await import('./cli/healthcheck.js')).healthcheckCommand(findThisGateway),
  loadtest: async () => (await import('./cli/loadtest.js')).loadtestCommand(loadConfig),
  asyncapi: async () => (await import('./cli/asyncapi.js')).asyncapiCommand(),
};

/** Without one of them at the front, as for help, all. */
function called([name = '']: readonly string[]): (() => Promise<Command>)[] {
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  return subcommand === undefined ? Object.values(SUBCOMMANDS) : [subcommand];
}

const program = new Command('lablink-gateway')
  .description('The realtime gateway between PostgreSQL and WebSockets.')
  .enablePositionalOptions()
  .exitOverride();

try {
  for (const load of called(process.argv.slice(2))) program.addCommand(await load());
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`${explain(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
