#!/usr/bin/env node
// The command `lablink-gateway`: a table of subcommands, and the exit code of each kind of failure.

import { Command, CommanderError } from 'commander';
import { agentCommand } from './cli/agent.js';
import { asyncapiCommand } from './cli/asyncapi.js';
import { dbCommand } from './cli/db.js';
import { demoCommand } from './cli/demo.js';
import { exitCodeOf, explain } from './cli/exit.js';
import { findGateway } from './cli/gateway.js';
import { healthcheckCommand } from './cli/healthcheck.js';
import { loadtestCommand } from './cli/loadtest.js';
import { openApiCommand } from './cli/openapi.js';
import { loadConfig } from './config.js';
import { serveCommand } from './cli/serve.js';
import { tokenCommand } from './cli/token.js';
import { watchCommand } from './cli/watch.js';

const program = new Command('lablink-gateway')
  .description('The realtime gateway between PostgreSQL and WebSockets.')
  .enablePositionalOptions()
  .exitOverride()
  .addCommand(serveCommand())
  .addCommand(agentCommand())
  .addCommand(demoCommand())
  .addCommand(tokenCommand())
  .addCommand(openApiCommand())
  .addCommand(watchCommand(() => findGateway(loadConfig())))
  .addCommand(dbCommand())
  .addCommand(healthcheckCommand(() => findGateway(loadConfig())))
  .addCommand(loadtestCommand(loadConfig))
  .addCommand(asyncapiCommand());

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`${explain(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
