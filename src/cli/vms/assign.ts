// The subcommand `assign`: gives a VM to a person, and prints which.

import { Command } from 'commander';
import { addGatewayOptions, resolveGateway, type GatewaySelection } from '../find-gateway.js';
import { printInfo, printJson } from '../print.js';
import { openApi } from './api.js';
import { assignAny, assignNamedVm, checkEmail, printVm } from './changes.js';
import { NDJSON_OPTION, readCommand, type CommandSource } from './options.js';

interface AssignOptions extends GatewaySelection, CommandSource {
  readonly hostname?: string;
  readonly reassign?: true;
  readonly json?: true;
}

export function createAssignCommand(): Command {
  const command = new Command('assign')
    .description('give a VM to a person: one that is available, or the one that they have')
    .argument('<email>', 'the person')
    .option('--hostname <hostname>', 'this VM (default: the one available for longest)')
    .option('--command <text>', 'the command that the VM runs; others on this machine can see it')
    .option('--command-file <file>', 'a file with the command; - is stdin')
    .option('--reassign', 'with --hostname: take the VM from the person who has it')
    .option(...NDJSON_OPTION);
  return addGatewayOptions(command).action(async (email: string, options: AssignOptions) => {
    const { hostname, reassign = false } = options;
    checkEmail(email);
    const crdCommand = await readCommand(options);
    const api = await openApi(await resolveGateway(options));
    const request = { email, crdCommand };
    const { vm, online } =
      hostname === undefined
        ? await assignAny(api, request)
        : await assignNamedVm(api, hostname, { ...request, reassign });
    if (options.json) printJson(vm);
    else printVm(vm);
    if (online === false)
      printInfo('Its agent is offline: it gets the assignment as soon as it connects.');
  });
}
