// Every subcommand of `lablink-gateway`, each loaded when it is called and not before.

import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { findGateway } from './gateway.js';

const findThisGateway = () => findGateway(loadConfig());

/** Each is loaded alone: an agent on a small VM needs no web server. */
export const SUBCOMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.js')).serveCommand(),
  agent: async () => (await import('./agent.js')).agentCommand(),
  demo: async () => (await import('./demo.js')).demoCommand(),
  token: async () => (await import('./token.js')).tokenCommand(),
  openapi: async () => (await import('./openapi.js')).openApiCommand(),
  watch: async () => (await import('./watch.js')).watchCommand(findThisGateway),
  db: async () => (await import('./db/db.js')).dbCommand(),
  healthcheck: async () => (await import('./healthcheck.js')).healthcheckCommand(findThisGateway),
  loadtest: async () => (await import('./loadtest.js')).loadtestCommand(loadConfig),
  asyncapi: async () => (await import('./asyncapi.js')).asyncapiCommand(),
};
