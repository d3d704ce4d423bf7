// The permissions of each role, stated a second time as the guarantee has them.

import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  can,
  PERMISSIONS,
  selectProjection,
  type Permission,
  type Role,
} from '../../../src/gateway/auth/roles.js';

const who = (role: Role, sub: string = role) => ({ role, sub });
const ROLES: readonly Role[] = ['agent', 'dashboard', 'admin', 'enrol'];

/**
 * For each permission, the roles that have it for `vm-1`, for `vm-2` and for all VMs, with the
 * `sub` `vm-1`.
 */
const EXPECTED: Record<
  Permission,
  Record<Role, readonly [own: boolean, other: boolean, all: boolean]>
> = {
  'watch-vm': {
    agent: [true, false, false],
    dashboard: [true, true, true],
    admin: [true, true, true],
    enrol: [false, false, false],
  },
  'watch-fleet': {
    agent: [false, false, false],
    dashboard: [true, true, true],
    admin: [true, true, true],
    enrol: [false, false, false],
  },
  'register-vm': {
    agent: [true, false, false],
    dashboard: [false, false, false],
    admin: [true, true, true],
    enrol: [false, false, false],
  },
  'report-status': {
    agent: [true, false, false],
    dashboard: [false, false, false],
    admin: [false, false, false],
    enrol: [false, false, false],
  },
  acknowledge: {
    agent: [true, false, false],
    dashboard: [false, false, false],
    admin: [false, false, false],
    enrol: [false, false, false],
  },
  'enrol-vm': {
    agent: [false, false, false],
    dashboard: [false, false, false],
    admin: [true, true, true],
    enrol: [true, true, true],
  },
  'allow-enrolment': {
    agent: [false, false, false],
    dashboard: [false, false, false],
    admin: [true, true, true],
    enrol: [false, false, false],
  },
  'report-end': {
    agent: [true, true, true],
    dashboard: [false, false, false],
    admin: [false, false, false],
    enrol: [false, false, false],
  },
  'change-vms': {
    agent: [false, false, false],
    dashboard: [false, false, false],
    admin: [true, true, true],
    enrol: [false, false, false],
  },
  'read-audit': {
    agent: [false, false, false],
    dashboard: [false, false, false],
    admin: [true, true, true],
    enrol: [false, false, false],
  },
  'read-metrics': {
    agent: [false, false, false],
    dashboard: [true, true, true],
    admin: [true, true, true],
    enrol: [false, false, false],
  },
};

t.test('every role has exactly its permissions', async (t) => {
  t.strictSame(Object.keys(EXPECTED).sort(), Object.keys(PERMISSIONS).sort());
  for (const action of Object.keys(EXPECTED) as Permission[]) {
    for (const role of ROLES) {
      const identity = who(role, 'vm-1');
      const [own, other, all] = EXPECTED[action][role];
      t.equal(can(identity, action, 'vm-1'), own, `${role} ${action} own`);
      t.equal(can(identity, action, 'vm-2'), other, `${role} ${action} another's`);
      t.equal(can(identity, action), all, `${role} ${action} at large`);
    }
  }
});

t.test("an agent's own hostname is compared character by character", async (t) => {
  const agent = who('agent', 'vm-é');
  t.equal(can(agent, 'watch-vm', 'vm-é'), true);
  for (const hostname of ['VM-é', 'vm-é ', 'vm-e\u0301', 'vm-', '', 'vm-é/x']) {
    t.equal(can(agent, 'watch-vm', hostname), false, hostname);
  }
});

t.test('only agents and admins see the whole row', async (t) => {
  t.strictSame(ROLES.map(selectProjection), ['full', 'dashboard', 'full', 'dashboard']);
});

t.test('the table of the README is that of the program', async (t) => {
  const readme = readFileSync(
    new URL('../../../src/gateway/auth/README.md', import.meta.url),
    'utf8',
  );
  const section =
    readme.split('<!-- generated: permissions -->')[1]?.split('<!-- end -->')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  const expected = Object.entries(PERMISSIONS).map(
    ([action, { agent, dashboard, admin, enrol }]) => [
      `\`${action}\``,
      agent,
      dashboard,
      admin,
      enrol,
    ],
  );
  const written = rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  t.strictSame(
    written.map(([action, , ...reach]) => [action, ...reach]),
    expected,
  );
});
