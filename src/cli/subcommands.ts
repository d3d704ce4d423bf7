// Every subcommand of `lablink-gateway`, loaded only when it is called.

import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { findGateway } from './find-gateway.js';

const findThisGateway = () => findGateway(loadConfig());

/** Loads each subcommand by itself: an agent on a small VM needs no web server. */
export const SUBCOMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.js')).createServeCommand(),
  agent: async () => (await import('./agent.js')).createAgentCommand(),
  demo: async () => (await import('./demo.js')).createDemoCommand(),
  token: async () => (await import('./token.js')).createTokenCommand(),
  openapi: async () => (await import('./openapi.js')).createOpenApiCommand(),
  watch: async () => (await import('./watch.js')).createWatchCommand(findThisGateway),
  vms: async () => (await import('./vms/list.js')).createListCommand(),
  assign: async () => (await import('./vms/assign.js')).createAssignCommand(),
  release: async () => (await import('./vms/release.js')).createReleaseCommand(),
  fail: async () => (await import('./vms/release.js')).createFailCommand(),
  events: async () => (await import('./vms/events.js')).createEventsCommand(),
  import: async () => (await import('./vms/import.js')).createImportCommand(),
  export: async () => (await import('./vms/export.js')).createExportCommand(),
  db: async () => (await import('./db/db.js')).createDbCommand(),
  healthcheck: async () =>
    (await import('./healthcheck.js')).createHealthcheckCommand(findThisGateway),
  config: async () => (await import('./config/config.js')).createConfigCommand(),
  completion: async () =>
    (await import('./completion.js')).createCompletionCommand(() =>
      Promise.all(Object.values(SUBCOMMANDS).map((load) => load())),
    ),
  loadtest: async () => (await import('./loadtest.js')).createLoadtestCommand(loadConfig),
  asyncapi: async () => (await import('./asyncapi.js')).createAsyncApiCommand(),
};
