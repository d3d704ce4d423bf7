// The subcommand `export`: prints all VMs for a spreadsheet or a program. A cell that a spreadsheet
// would take for a formula is quoted, because an email or a hostname is text of others.

import { Command, Option } from 'commander';
import { stringify } from 'csv-stringify/sync';
import { addGatewayOptions, resolveGateway, type GatewaySelection } from '../find-gateway.js';
import { printInfo, printJson } from '../print.js';
import { openApi } from './api.js';
import { describeDelivery, readVms, type FleetFilter, type VmWithPresence } from './fleet.js';

interface ExportOptions extends GatewaySelection, FleetFilter {
  readonly csv?: true;
  readonly json?: true;
  readonly commands?: true;
}

export function createExportCommand(): Command {
  const command = new Command('export')
    .description('print all VMs for a spreadsheet or a program')
    .addOption(new Option('--csv', 'as CSV in UTF-8 (the default)').conflicts('json'))
    .option('--json', 'as JSON, one VM per line')
    .option('--status <status>', 'only VMs of this status')
    .option('--commands', 'with crd_command, which may hold a one-time code');
  return addGatewayOptions(command).action(
    async ({ json, commands, ...options }: ExportOptions) => {
      const api = await openApi(await resolveGateway(options));
      if (!json) process.stdout.write(formatCsv([[...COLUMNS, ...(commands ? [COMMAND] : [])]]));
      let count = 0;
      for await (const found of readVms(api, options)) {
        count++;
        if (json) printJson(formatRecord(found, commands === true));
        else
          process.stdout.write(formatCsv([Object.values(formatRecord(found, commands === true))]));
      }
      if (count === 0) printInfo(`No VM of the gateway ${api.url} matches.`);
    },
  );
}

const COMMAND = 'crd_command';
const COLUMNS = [
  'hostname',
  'status',
  'email',
  'agent_online',
  'delivery',
  'exit_code',
  'created_at',
  'updated_at',
  'assignment_id',
];

/** The columns of both formats, in the same order. */
function formatRecord(
  { vm, presence }: VmWithPresence,
  commands: boolean,
): Readonly<Record<string, unknown>> {
  return {
    hostname: vm.hostname,
    status: vm.status,
    email: vm.email,
    agent_online: presence?.online ?? false,
    delivery: describeDelivery(presence) ?? null,
    exit_code: presence?.delivery?.exit_code ?? null,
    created_at: vm.created_at,
    updated_at: vm.updated_at,
    assignment_id: vm.assignment_id,
    ...(commands && { [COMMAND]: vm[COMMAND] ?? null }),
  };
}

/** Lines end with CR and LF (RFC 4180). */
function formatCsv(rows: readonly (readonly unknown[])[]): string {
  return stringify(
    rows.map((row) => [...row]),
    { escape_formulas: true, record_delimiter: 'windows', cast: { boolean: String } },
  );
}
