// The periodic work that follows each renewal of the lease: VMs whose agents stay away are set
// failed, and old rows of the audit, of presence, of deliveries and of revoked tokens are removed.

import type pg from 'pg';
import { failAbsent } from '../database/absence.js';
import { pruneOldRows, STEP_ROWS, type RetentionStep } from '../database/retention.js';
import { pruneRevocations } from '../database/revocations.js';

export interface HousekeepingOptions {
  /** Names the process. */
  readonly gateway: string;
  readonly pool: pg.Pool;
  /** How long the agent of a VM in use may stay away; undefined for ever. */
  readonly offlineGraceMs: number | undefined;
  /** How many days events are kept; 0 for ever. */
  readonly auditDays: number;
  readonly timing: { readonly pruneIntervalMs: number };
}

/** How many steps follow each other while there are more rows; then the lease comes first. */
const MAX_STEPS = 10;

export class Housekeeping {
  #pruneAtMs: number;

  constructor(private readonly options: HousekeepingOptions) {
    // Gateways that start at once do not prune at once.
    this.#pruneAtMs = performance.now() + Math.random() * options.timing.pruneIntervalMs;
  }

  /**
   * Sets VMs failed whose agents stay away, and returns their hostnames.
   * @param rejected called with the id of each VM that the database does not let be set failed
   */
  async failAbsentVms(rejected: (id: string, error: unknown) => void): Promise<readonly string[]> {
    const { pool, gateway, offlineGraceMs } = this.options;
    return offlineGraceMs === undefined ? [] : failAbsent(pool, gateway, offlineGraceMs, rejected);
  }

  /**
   * Removes old rows, if the last removal is long enough ago. After ten full steps it goes on with
   * the next renewal of the lease. Calls `onStep` after each step.
   */
  async pruneWhenDue(onStep: (step: RetentionStep) => void): Promise<void> {
    if (performance.now() < this.#pruneAtMs) return;
    const { pool, auditDays, timing } = this.options;
    this.#pruneAtMs = performance.now() + timing.pruneIntervalMs;
    await pruneRevocations(pool);
    for (let steps = 1; ; steps++) {
      const step = await pruneOldRows(pool, auditDays);
      onStep(step);
      if (!Object.values(step.removed).some((rows) => rows >= STEP_ROWS)) return;
      if (steps < MAX_STEPS) continue;
      this.#pruneAtMs = performance.now();
      return;
    }
  }
}
