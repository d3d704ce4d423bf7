// Makes a fault happen.

import type { ClientBase } from 'pg';
import type { Crowd } from './virtual-users.js';
import type { Fault } from './faults.js';
import type { Target } from './target.js';

export interface Victims {
  readonly crowd: Crowd;
  readonly target: Target;
  readonly client: ClientBase;
}

/** Resolves when it has happened. @throws when it cannot be made */
export async function inject(fault: Fault, { crowd, target, client }: Victims): Promise<void> {
  switch (fault.kind) {
    case 'kill-listener':
      await killListener(client);
      break;
    case 'restart-gateway':
      await restart(target, 'in order');
      break;
    case 'kill-gateway':
      await restart(target, 'by force');
      break;
    case 'drop-sockets':
      await crowd.drop();
      break;
    case 'stall-dashboards':
      await crowd.stall(fault.count);
  }
}

/** By the name under which the gateway listens (see `listenName` in app.ts). */
async function killListener(client: ClientBase): Promise<void> {
  const { rowCount } = await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE '% listen'`,
  );
  if (rowCount === 0) throw new Error('no gateway listens to this database');
}

async function restart({ restart }: Target, how: 'in order' | 'by force'): Promise<void> {
  if (restart === undefined) throw new Error('the gateway is not ours to end');
  await restart(how);
}
