// One table of what each role may do, for sockets and HTTP alike. What it does not allow is refused.

import { Type, type Static } from 'typebox';

export const Role = Type.Union([
  Type.Literal('agent'),
  Type.Literal('dashboard'),
  Type.Literal('admin'),
  Type.Literal('enrol'),
]);
export type Role = Static<typeof Role>;

/** How far a permission reaches: every VM, the one whose hostname is the token's `sub`, or none. */
export type Scope = 'any' | 'own' | 'no';

/**
 * What each role may do. `watch-fleet` is the state and changes of all VMs; `report-status` and
 * `acknowledge` are an agent speaking of itself, and so is `report-end`, of an assignment that must be
 * or have been its own; `enrol-vm` gives a VM its agent's token, and `allow-enrolment` lets it
 * have another; `change-vms` is every other change of rows.
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
 * Whether this identity may do it to the VM of this hostname; without a hostname, to VMs at large.
 * Hostnames are compared as they are, character for character.
 */
export function can(
  { role, sub }: { readonly role: Role; readonly sub: string },
  action: Permission,
  hostname?: string,
): boolean {
  const reach: Scope = PERMISSIONS[action][role];
  return reach === 'any' || (reach === 'own' && hostname === sub);
}

/** What of a row the role sees: all of it, or the columns on the allow-list of dashboards. */
export function selectProjection(role: Role): 'full' | 'dashboard' {
  return role === 'agent' || role === 'admin' ? 'full' : 'dashboard';
}
