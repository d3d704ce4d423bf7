// Prints a list of VMs, for `vms` and `find`.

import { listVms, type ListedVm, type VmFilter } from '../../postgres/admin/vm-lists.js';
import { printJson, printList } from '../print.js';
import { runOnDatabase } from './subcommand.js';

export const COMMANDS_OPTION = [
  '--commands',
  'show crd_command too, which may hold a one-time code',
] as const;

/** Prints the VMs that pass the filter, and returns how many. */
export async function printVms(filter: VmFilter, json: boolean): Promise<number> {
  const vms = await runOnDatabase('vms', (session) => listVms(session, filter));
  if (json) printJson(vms);
  else
    printList(
      [...HEADERS, ...(filter.commands ? ['crd_command'] : [])],
      vms.map(formatCells),
      filter.status === undefined && filter.email === undefined
        ? 'The table vms is empty.'
        : 'No VM matches.',
    );
  return vms.length;
}

const HEADERS = ['hostname', 'status', 'email', 'created', 'updated (UTC)', 'version'];

function formatCells(vm: ListedVm) {
  const { hostname, status, email, created_at, updated_at, version, crd_command } = vm;
  const cells = [hostname, status, email, toSeconds(created_at), toSeconds(updated_at), version];
  return crd_command === undefined ? cells : [...cells, crd_command];
}

const toSeconds = (time: string | null): string | undefined => time?.slice(0, 19);
