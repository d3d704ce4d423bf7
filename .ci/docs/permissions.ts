// The table of roles and permissions, from the object that sockets and HTTP use.

import { PERMISSIONS, type Permission } from '../../src/gateway/auth/roles.js';
import { code, table } from './table.js';

const ROLES = ['agent', 'dashboard', 'admin', 'enrol'] as const;

const MEANING: Readonly<Record<Permission, string>> = {
  'watch-vm': 'see one VM, now and as it changes',
  'watch-fleet': 'see all VMs, now and as they change',
  'register-vm': "add the VM's hostname to the table",
  'report-status': 'report `failed`, or `available` after `failed`',
  acknowledge: 'confirm that an assignment arrived',
  'report-end': 'report how the command of a current or earlier assignment of its VM ended',
  'enrol-vm': "get the token of a VM's agent, once",
  'allow-enrolment': 'let a hostname enrol again',
  'change-vms': 'assign, release, change and delete rows',
  'read-audit': 'read the history of changes',
  'read-metrics': 'read `/metrics`',
};

export function permissions(): string {
  const actions = Object.keys(PERMISSIONS) as Permission[];
  return table(
    ['action', 'meaning', ...ROLES],
    actions.map((action) => [
      code(action),
      MEANING[action],
      ...ROLES.map((role) => PERMISSIONS[action][role]),
    ]),
  );
}
