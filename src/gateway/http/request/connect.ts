// Gives each request its own share of the database connections: by its identity, and by what it
// does.

import type { FastifyRequest } from 'fastify';
import type { ConnectionSource } from '../../database/connection-source.js';
import type { Priority } from '../../database/fair-queue.js';
import type { SharedPool } from '../../database/shared-pool.js';
import { readActor } from './access.js';

/** Returns the source of an authorized request's connections. */
export type Connect = (request: FastifyRequest, priority: Priority) => ConnectionSource;

/** Creates the function for this pool. */
export function createConnect(pool: SharedPool): Connect {
  return (request, priority) => pool.share({ identity: readActor(request).name, priority });
}
