// The periodic work that follows each renewal of the lease: VMs whose agents stay away are set
// failed, and old rows of presence, deliveries and
// revoked tokens are removed.

import type pg from 'pg';
import { failAbsent } from '../database/absence.js';
import { prunePresence } from '../database/presence.js';
import { pruneRevocations } from '../database/revocations.js';

export interface HousekeepingOptions {
  /** Names the process. */
  readonly gateway: string;
  readonly pool: pg.Pool;
  /** How long the agent of a VM in use may stay away; undefined for ever. */
  readonly offlineGraceMs: number | undefined;
}

/** How often each gateway removes a batch of old rows. */
const PRUNE_INTERVAL_MS = 300_000;

export class Housekeeping {
  #pruneAtMs = performance.now() + Math.random() * PRUNE_INTERVAL_MS;

  constructor(private readonly options: HousekeepingOptions) {}

  /** Sets VMs failed whose agents stay away, and returns their hostnames. */
  async failAbsentVms(): Promise<readonly string[]> {
    const { pool, gateway, offlineGraceMs } = this.options;
    return offlineGraceMs === undefined ? [] : failAbsent(pool, gateway, offlineGraceMs);
  }

  /** Removes old rows, if the last removal is long enough ago. */
  async pruneWhenDue(): Promise<void> {
    if (performance.now() < this.#pruneAtMs) return;
    this.#pruneAtMs = performance.now() + PRUNE_INTERVAL_MS;
    await prunePresence(this.options.pool);
    await pruneRevocations(this.options.pool);
  }
}
