// Plans an import from the current VMs: what each person would get. Pure.

import type { FleetVm } from './fleet.js';
import type { Person } from './people-csv.js';

export interface PlannedPerson {
  readonly person: Person;
  /** The VM that they have or would get; undefined if it is not known yet. */
  readonly hostname: string | undefined;
  /** In words; it begins with `failed` if they would get none. */
  readonly step: string;
}

/** @param reassign whether a VM is taken from another person */
export function planImport(
  people: readonly Person[],
  fleet: readonly FleetVm[],
  reassign: boolean,
): PlannedPerson[] {
  const byHostname = new Map(fleet.map((vm) => [vm.hostname, vm]));
  const owned = new Map(
    fleet.filter(({ status }) => status === 'in-use').map((vm) => [vm.email, vm.hostname]),
  );
  const named = new Set(people.flatMap(({ hostname }) => hostname ?? []));
  let free = fleet.filter(
    ({ status, hostname }) => status === 'available' && !named.has(hostname),
  ).length;
  return people.map((person) => {
    if (person.hostname !== undefined)
      return { person, hostname: person.hostname, step: planNamed(person, byHostname, reassign) };
    const hostname = owned.get(person.email);
    if (hostname !== undefined)
      return { person, hostname, step: person.command === undefined ? 'keep it' : 'new command' };
    const step = free > 0 ? 'assign an available VM' : 'failed: no_vm_available';
    free--;
    return { person, hostname: undefined, step };
  });
}

function planNamed(
  { hostname = '', email, command }: Person,
  byHostname: ReadonlyMap<string, FleetVm>,
  reassign: boolean,
): string {
  const vm = byHostname.get(hostname);
  if (vm === undefined) return 'failed: vm_not_found';
  if (vm.status !== 'in-use') return 'assign it';
  if (vm.email === email) return command === undefined ? 'keep it' : 'new command';
  return reassign ? `take it from ${vm.email ?? 'another person'}` : 'failed: assigned_to_another';
}
