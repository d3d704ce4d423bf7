// Writes this gateway's presence to the database, under its lease: acquires, renews and releases
// the lease, and writes batches of pending changes. `Lease` decides when.

import type pg from 'pg';
import { processInHalves } from '../../postgres/isolate.js';
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

  /**
   * Writes the batch and notifies other gateways of it; times become ages before `nowMs`. If the
   * database cannot store a hostname, the others are written in smaller batches.
   */
  async write(
    instance: string,
    batch: WriteBatch,
    nowMs: number,
    rejected: (hostname: string, error: unknown) => void,
  ): Promise<boolean> {
    if (isEmpty(batch)) return this.#write(instance, batch, nowMs);
    const held = await processInHalves(
      listHostnames(batch),
      (hostnames) => this.#write(instance, selectHostnames(batch, new Set(hostnames)), nowMs),
      rejected,
    );
    return held.every(Boolean);
  }

  #write(
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

function listHostnames({ agents, pushes, reported }: WriteBatch): string[] {
  const named = [...agents, ...pushes].map(({ hostname }) => hostname);
  return [...new Set([...named, ...reported])];
}

const isEmpty = (batch: WriteBatch): boolean => listHostnames(batch).length === 0;

function selectHostnames(
  { agents, pushes, reported, full }: WriteBatch,
  hostnames: ReadonlySet<string>,
): WriteBatch {
  return {
    agents: agents.filter(({ hostname }) => hostnames.has(hostname)),
    pushes: pushes.filter(({ hostname }) => hostnames.has(hostname)),
    reported: reported.filter((hostname) => hostnames.has(hostname)),
    full,
  };
}
