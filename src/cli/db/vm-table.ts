// A list of VMs, as `vms` and `find` print it.

import { findVms, type FoundVm, type VmFilter } from '../../postgres/admin/vm-lists.js';
import { printJson, printTable } from './print.js';
import { onDatabase } from './subcommand.js';

export const COMMANDS_OPTION = [
  '--commands',
  'show crd_command too, which may hold a one-time code',
] as const;

/** Prints the VMs that pass; says how many. */
export async function printVms(filter: VmFilter, json: boolean): Promise<number> {
  const vms = await onDatabase('vms', (session) => findVms(session, filter));
  if (json) printJson(vms);
  else printTable([...HEADERS, ...(filter.commands ? ['crd_command'] : [])], vms.map(cellsOf));
  return vms.length;
}

const HEADERS = ['hostname', 'status', 'email', 'created', 'updated (UTC)', 'version'];

function cellsOf(vm: FoundVm) {
  const { hostname, status, email, created_at, updated_at, version, crd_command } = vm;
  const cells = [hostname, status, email, toSeconds(created_at), toSeconds(updated_at), version];
  return crd_command === undefined ? cells : [...cells, crd_command];
}

const toSeconds = (time: string | null): string | undefined => time?.slice(0, 19);
