// One table of what each role may do, for sockets and HTTP alike. What it does not allow is refused.

import { Type, type Static } from 'typebox';

export const Role = Type.Union([
  Type.Literal('agent'),
  Type.Literal('dashboard'),
  Type.Literal('admin'),
]);
export type Role = Static<typeof Role>;

/** How far a permission reaches: every VM, the one whose hostname is the token's `sub`, or none. */
export type Reach = 'any' | 'own' | 'no';

/**
 * What each role may do. `watch-fleet` is the state and changes of all VMs; `report-status` and
 * `acknowledge` are an agent speaking of itself, and so is `report-end`, of an assignment that must be
 * or have been its own; `change-vms` is every other change of rows.
 */
export const PERMISSIONS = {
  'watch-vm': { agent: 'own', dashboard: 'any', admin: 'any' },
  'watch-fleet': { agent: 'no', dashboard: 'any', admin: 'any' },
  'register-vm': { agent: 'own', dashboard: 'no', admin: 'any' },
  'report-status': { agent: 'own', dashboard: 'no', admin: 'no' },
  acknowledge: { agent: 'own', dashboard: 'no', admin: 'no' },
  'report-end': { agent: 'any', dashboard: 'no', admin: 'no' },
  'change-vms': { agent: 'no', dashboard: 'no', admin: 'any' },
  'read-audit': { agent: 'no', dashboard: 'no', admin: 'any' },
  'read-metrics': { agent: 'no', dashboard: 'any', admin: 'any' },
} as const satisfies Record<string, Record<Role, Reach>>;
export type Action = keyof typeof PERMISSIONS;

/**
 * Whether this identity may do it to the VM of this hostname; without a hostname, to VMs at large.
 * Hostnames are compared as they are, character for character.
 */
export function may(
  { role, sub }: { readonly role: Role; readonly sub: string },
  action: Action,
  hostname?: string,
): boolean {
  const reach: Reach = PERMISSIONS[action][role];
  return reach === 'any' || (reach === 'own' && hostname === sub);
}

/** What of a row the role sees: all of it, or the columns on the allow-list of dashboards. */
export function viewOf(role: Role): 'full' | 'dashboard' {
  return role === 'dashboard' ? 'dashboard' : 'full';
}
