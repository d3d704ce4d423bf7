// The watchers of a pass: clients on a server's sockets, or the bare listener.

import type pg from 'pg';
import type { ClientsReport, ReplicaComparison } from '../../src/loadtest/clients.js';
import type { VirtualUsers } from '../../src/loadtest/virtual-users.js';
import { Remote } from '../../src/loadtest/rpc.js';
import type { TableState } from '../../src/loadtest/rows.js';
import type { FloorHandlers } from './floor-process.js';

export type Watchers = Pick<
  VirtualUsers,
  'startRecording' | 'takeReports' | 'waitUntilQuiet' | 'compare' | 'stop'
>;

export class Floor implements Watchers {
  private constructor(private readonly remote: Remote<FloorHandlers>) {}

  static async listen(database: pg.ClientConfig, rows: number): Promise<Floor> {
    const module = new URL('./floor-process.js', import.meta.url);
    const remote = Remote.start<FloorHandlers>(module);
    await remote.call('listen', { database, rows });
    return new Floor(remote);
  }

  startRecording(): Promise<void> {
    return this.remote.call('record');
  }

  async takeReports(): Promise<ClientsReport[]> {
    return [await this.remote.call('take')];
  }

  waitUntilQuiet(deadlineMs: number): Promise<void> {
    return this.remote.call('quiet', { deadlineMs });
  }

  compare(table: TableState, sinceVersion = 0): Promise<ReplicaComparison> {
    return this.remote.call('compare', { table, sinceVersion });
  }

  stop(): Promise<void> {
    return this.remote.stop();
  }
}
