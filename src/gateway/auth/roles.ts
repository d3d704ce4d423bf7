// The table of permissions of each role, for sockets and HTTP. Everything that the table does not
// permit is rejected.

import { Type, type Static } from 'typebox';

export const Role = Type.Union([
  Type.Literal('agent'),
  Type.Literal('dashboard'),
  Type.Literal('admin'),
  Type.Literal('enrol'),
]);
export type Role = Static<typeof Role>;

/**
 * The scope of a permission: every VM, only the VM whose hostname is the token's `sub`, or no VM.
 */
export type Scope = 'any' | 'own' | 'no';

/**
 * The scope of each permission by role.
 *
 * - `watch-fleet`: the state and the changes of all VMs.
 * - `report-status`, `acknowledge`: an agent reports about its own VM.
 * - `report-end`: an agent reports the end of an assignment that is or was its own.
 * - `enrol-vm`: a VM receives the token of its agent.
 * - `allow-enrolment`: a VM may enrol again.
 * - `change-vms`: every other change of rows.
 */
export const PERMISSIONS = {
  'watch-vm': { agent: 'own', dashboard: 'any', admin: 'any', enrol: 'no' },
  'watch-fleet': { agent: 'no', dashboard: 'any', admin: 'any', enrol: 'no' },
  'register-vm': { agent: 'own', dashboard: 'no', admin: 'any', enrol: 'no' },
  'report-status': { agent: 'own', dashboard: 'no', admin: 'no', enrol: 'no' },
  acknowledge: { agent: 'own', dashboard: 'no', admin: 'no', enrol: 'no' },
  'report-end': { agent: 'any', dashboard: 'no', admin: 'no', enrol: 'no' },
  'enrol-vm': { agent: 'no', dashboard: 'no', admin: 'any', enrol: 'any' },
  'allow-enrolment': { agent: 'no', dashboard: 'no', admin: 'any', enrol: 'no' },
  'change-vms': { agent: 'no', dashboard: 'no', admin: 'any', enrol: 'no' },
  'read-audit': { agent: 'no', dashboard: 'no', admin: 'any', enrol: 'no' },
  'read-metrics': { agent: 'no', dashboard: 'any', admin: 'any', enrol: 'no' },
} as const satisfies Record<string, Record<Role, Scope>>;
export type Permission = keyof typeof PERMISSIONS;

/**
 * Whether an identity has a permission for the VM of this hostname or, without a hostname, for all
 * VMs. Hostnames are compared character by character.
 */
export function can(
  { role, sub }: { readonly role: Role; readonly sub: string },
  action: Permission,
  hostname?: string,
): boolean {
  const reach: Scope = PERMISSIONS[action][role];
  return reach === 'any' || (reach === 'own' && hostname === sub);
}

/** Selects the columns that a role sees: all columns, or the allow-list of dashboards. */
export function selectProjection(role: Role): 'full' | 'dashboard' {
  return role === 'agent' || role === 'admin' ? 'full' : 'dashboard';
}
