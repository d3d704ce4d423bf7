// Creates rows and messages as a gateway sends them.

import { Queue } from './queue.js';
import type { ConnectionState } from '../../src/client/reconnecting-connection.js';

export function row(hostname: string, fields: Readonly<Record<string, unknown>> = {}) {
  return {
    id: 1,
    hostname,
    email: null,
    status: 'available',
    crd_command: null,
    created_at: '2030-01-01T00:00:00',
    updated_at: '2030-01-01T00:00:00',
    version: 1,
    assignment_id: null,
    ...fields,
  };
}

export const status = (hostname: string, fields = {}) => ({
  type: 'status',
  vm: row(hostname, fields),
});

export const assignment = (hostname: string, fields = {}) => ({
  type: 'assignment',
  vm: row(hostname, { status: 'in-use', email: 'ada@example.org', ...fields }),
});

/** Creates a snapshot in one part. */
export const snapshot = (cursor: string, ...vms: object[]) => ({
  type: 'snapshot',
  vms,
  presence: [],
  more: false,
  cursor,
});

export const upsert = (vm: object) => ({ op: 'upsert', vm });
export const deletion = (hostname: string) => ({ op: 'delete', hostname });
export const changes = (cursor: string, ...list: object[]) => ({
  type: 'changes',
  changes: list,
  cursor,
});

interface Watched {
  readonly connection: ConnectionState;
  on(name: 'connection', listener: (state: ConnectionState) => void): () => void;
}

type Phase<P> = Extract<ConnectionState, { phase: P }>;
const isIn = <P extends string>(state: ConnectionState, phase: P): state is Phase<P> =>
  state.phase === phase;

/** Resolves when the connection is in this phase, at once if it is already. */
export function phase<P extends ConnectionState['phase']>(
  watch: Watched,
  wanted: P,
): Promise<Phase<P>> {
  return new Promise((resolve) => {
    const { connection } = watch;
    if (isIn(connection, wanted)) {
      resolve(connection);
      return;
    }
    const stop = watch.on('connection', (state) => {
      if (!isIn(state, wanted)) return;
      stop();
      resolve(state);
    });
  });
}

/** Collects the events of one kind from now on. */
export function events<T>(on: (listener: (event: T) => void) => unknown): Queue<T> {
  const queue = new Queue<T>();
  on((event) => queue.push(event));
  return queue;
}
