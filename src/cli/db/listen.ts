// `db listen`: prints notifications as they arrive, decoded, with their latency.

import type { Command } from 'commander';
import { loadConfig } from '../../config/load.js';
import { followUpdates, type Update } from '../../postgres/admin/updates.js';
import { findDatabase } from '../find-database.js';
import { formatAddress } from '../wait-for-database.js';
import { printJson, printLine, printInfo } from '../print.js';
import { JSON_OPTION, createSubcommand } from './subcommand.js';
import { COMMANDS_OPTION } from './vm-table.js';

interface ListenOptions {
  readonly commands?: boolean;
  readonly json?: boolean;
}

export function createListenCommand(): Command {
  return createSubcommand('listen', 'print notifications of the database as they arrive')
    .option(...COMMANDS_OPTION)
    .option(...JSON_OPTION)
    .action(async ({ commands = false, json }: ListenOptions) => {
      const config = loadConfig();
      const connection = await findDatabase(config);
      const end = new AbortController();
      const stop = (): void => end.abort();
      process.once('SIGINT', stop).once('SIGTERM', stop);
      process.stdout.once('error', stop);
      const show = json ? showJson : showLine;
      await followUpdates(
        connection,
        config.database ?? connection,
        (update) => show(update, commands),
        end.signal,
        () =>
          printInfo(
            `listening to ${formatAddress(connection)}: each change of vms is a line, with its latency; Ctrl-C ends`,
          ),
      );
    });
}

function showJson(
  { channel, pid, receivedAt, latencyMs, content, payload }: Update,
  commands: boolean,
) {
  const shown = content && omitCommand(content, commands);
  printJson({
    channel,
    pid,
    received_at: receivedAt,
    latency_ms: latencyMs ?? null,
    ...(shown === undefined ? { payload } : { content: shown }),
  });
}

function showLine({ receivedAt, latencyMs, content, channel, payload }: Update, commands: boolean) {
  const latency = latencyMs === undefined ? '' : `${latencyMs.toFixed(0)} ms`;
  const what =
    content === undefined ? [channel, 'not JSON:', payload] : formatContent(content, commands);
  printLine([receivedAt.toISOString(), ...what, latency].filter((word) => word !== '').join('  '));
}

function formatContent(content: Readonly<Record<string, unknown>>, commands: boolean): string[] {
  const { op, hostname, status, email, version, crd_command: command } = content;
  if (op !== undefined)
    return [formatValue(op), hostname === undefined ? 'all VMs' : formatValue(hostname)];
  const shown = [
    formatValue(hostname),
    formatValue(status),
    formatValue(email),
    `version ${formatValue(version)}`,
  ];
  return commands ? [...shown, formatValue(command)] : shown;
}

function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function omitCommand(content: Readonly<Record<string, unknown>>, commands: boolean) {
  if (commands) return content;
  return Object.fromEntries(Object.entries(content).filter(([name]) => name !== 'crd_command'));
}
