// Writes this gateway's presence to the database, under its lease: acquires, renews and releases
// the lease, and writes batches of pending changes. `Lease` decides when.

import type pg from 'pg';
import * as presence from '../database/presence.js';
import type { LeaseDatabase } from './lease.js';
import { formatPayloads } from './payloads.js';
import type { WriteBatch } from './pending-writes.js';

export class PresenceWriter implements LeaseDatabase {
  constructor(private readonly pool: pg.Pool) {}

  acquire(instance: string, leaseMs: number): Promise<presence.GatewayLeases> {
    return presence.acquireLease(this.pool, instance, leaseMs);
  }

  renew(
    instance: string,
    leaseMs: number,
    advanceWatermark: boolean,
  ): Promise<presence.GatewayLeases | undefined> {
    return presence.renewLease(this.pool, instance, leaseMs, advanceWatermark);
  }

  /** Writes the batch and notifies other gateways of it; times become ages before `nowMs`. */
  write(
    instance: string,
    { agents, pushes, reported }: WriteBatch,
    nowMs: number,
  ): Promise<boolean> {
    const hostnames = new Set([...agents.map(({ hostname }) => hostname), ...reported]);
    return presence.writePresence(this.pool, instance, {
      agents: agents.map((agent) => ({ ...agent, agoMs: nowMs - agent.atMs })),
      pushes: pushes.map((push) => ({ ...push, agoMs: nowMs - push.atMs })),
      payloads: formatPayloads(hostnames),
    });
  }

  release(instance: string): Promise<void> {
    return presence.releaseLease(this.pool, instance);
  }
}
