// The subcommands `release` and `fail`: end the assignment of a VM, or take the VM out of use.

import { Command } from 'commander';
import { addGatewayOptions, resolveGateway, type GatewaySelection } from '../find-gateway.js';
import { printJson } from '../print.js';
import { openApi } from './api.js';
import { findPersonsVm, printVm, setStatus } from './changes.js';
import { NDJSON_OPTION } from './options.js';

interface ChangeOptions extends GatewaySelection {
  readonly json?: true;
}

export function createReleaseCommand(): Command {
  return createChangeCommand(
    new Command('release').description('make a VM available again, without person and command'),
    'available',
  );
}

export function createFailCommand(): Command {
  return createChangeCommand(
    new Command('fail').description('set a VM failed: it keeps its person, and gets no other'),
    'failed',
  );
}

function createChangeCommand(command: Command, status: 'available' | 'failed'): Command {
  command.argument('<vm>', 'its hostname, or the email of the person who has it');
  return addGatewayOptions(command.option(...NDJSON_OPTION)).action(
    async (vm: string, options: ChangeOptions) => {
      const api = await openApi(await resolveGateway(options));
      // Meanwhile the person's VM may have become another person's.
      const { hostname, version } = vm.includes('@')
        ? await findPersonsVm(api, vm)
        : { hostname: vm, version: null };
      const changed = await setStatus(api, hostname, status, version);
      if (options.json) printJson(changed);
      else printVm(changed);
    },
  );
}
