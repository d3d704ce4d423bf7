// The subcommand `vms`: lists the VMs of a gateway, with their agents.

import { Command } from 'commander';
import { addGatewayOptions, resolveGateway, type GatewaySelection } from '../find-gateway.js';
import { printInfo, printJson, printTable } from '../print.js';
import { openApi } from './api.js';
import { formatVm, readVms, VM_HEADERS, type FleetFilter } from './fleet.js';
import { NDJSON_OPTION } from './options.js';

interface ListOptions extends GatewaySelection, FleetFilter {
  readonly json?: true;
}

export function createListCommand(): Command {
  const command = new Command('vms')
    .description('list the VMs of a gateway, with their agents')
    .option('--status <status>', 'only VMs of this status: available, in-use, failed')
    .option('--email <email>', 'only the VM of this person')
    .option('--hostname <pattern>', 'only these VMs; * stands for any characters')
    .option(...NDJSON_OPTION);
  return addGatewayOptions(command).action(async ({ json, ...options }: ListOptions) => {
    const api = await openApi(await resolveGateway(options));
    const rows: ReturnType<typeof formatVm>[] = [];
    let count = 0;
    for await (const found of readVms(api, options)) {
      count++;
      if (json) printJson({ ...found.vm, presence: found.presence });
      else rows.push(formatVm(found));
    }
    if (rows.length > 0) printTable(VM_HEADERS, rows);
    if (count === 0) printInfo(explainNothing(options, api.url));
  });
}

function explainNothing({ status, email, hostname }: FleetFilter, url: string): string {
  return [status, email, hostname].every((value) => value === undefined)
    ? `The gateway ${url} has no VMs.`
    : `No VM of the gateway ${url} matches.`;
}
