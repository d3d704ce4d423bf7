// Injects a fault into the gateway, its database session, or the clients.

import type { ClientBase } from 'pg';
import type { VirtualUsers } from './virtual-users.js';
import type { Fault } from './faults.js';
import type { Target } from './target.js';

export interface FaultTargets {
  readonly virtualUsers: VirtualUsers;
  readonly target: Target;
  readonly client: ClientBase;
}

/** Resolves when the fault has happened. @throws Error if it cannot be injected. */
export async function inject(
  fault: Fault,
  { virtualUsers, target, client }: FaultTargets,
): Promise<void> {
  switch (fault.kind) {
    case 'kill-listener':
      await killListener(client);
      break;
    case 'restart-gateway':
      await restart(target, 'gracefully');
      break;
    case 'kill-gateway':
      await restart(target, 'by kill');
      break;
    case 'drop-sockets':
      await virtualUsers.drop();
      break;
    case 'stall-dashboards':
      await virtualUsers.stall(fault.count);
  }
}

/** Finds the session by the application name of the gateway's LISTEN connection. */
async function killListener(client: ClientBase): Promise<void> {
  const { rowCount } = await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE '% listen'`,
  );
  if (rowCount === 0) throw new Error('no gateway listens on this database');
}

async function restart({ restart }: Target, how: 'gracefully' | 'by kill'): Promise<void> {
  if (restart === undefined)
    throw new Error('the load test did not start the gateway, so it cannot restart it');
  await restart(how);
}
