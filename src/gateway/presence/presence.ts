// The presence of agents: writes which agents are connected to this gateway, and reads into the
// fleet which are connected to any. It owns the pending writes, the lease under which the writer
// writes them, the reader, and the housekeeping that follows each renewal of the lease.
//
//   sessions ─▶ pending writes ─▶ lease, writer ─▶ database ─NOTIFY─▶ feed ─▶ reader ─▶ fleet

import type pg from 'pg';
import type { Logger } from 'pino';
import { readPresence } from '../database/presence.js';
import type { RetentionStep } from '../database/retention.js';
import type { PresenceEntry, RowEntry } from '../fleet/entry.js';
import type { Fleet } from '../fleet/fleet.js';
import { RepeatedWarnings } from '../stale/repeated-warnings.js';
import { Housekeeping } from './housekeeping.js';
import { Lease, type LeaseSettings } from './lease.js';
import { PendingWrites } from './pending-writes.js';
import { PresenceReader } from './reader.js';
import { PresenceWriter } from './writer.js';

export interface PresenceMetrics {
  presenceWritten(agents: number): void;
  leaseLost(): void;
  failedAbsent(vms: number): void;
  rowsPruned(table: string, rows: number): void;
  auditMeasured(bytes: number): void;
}

export interface PresenceTiming {
  readonly leaseMs: number;
  readonly presenceWriteGapMs: number;
  readonly pushWriteGapMs: number;
  readonly presenceReadGapMs: number;
  readonly fullReadIntervalMs: number;
  readonly pruneIntervalMs: number;
}

export interface PresenceOptions {
  /** Names the process. */
  readonly gateway: string;
  readonly pool: pg.Pool;
  readonly fleet: Fleet;
  /** Called with every new entry of the fleet, in order and at once. */
  readonly publish: (entry: PresenceEntry) => void;
  /** How long the agent of a VM in use may stay away; undefined for ever. */
  readonly offlineGraceMs: number | undefined;
  /** How many days events are kept; 0 for ever. */
  readonly auditDays: number;
  readonly timing: PresenceTiming;
  readonly metrics: PresenceMetrics;
  readonly log: Logger;
}

const UNSTORABLE =
  'the database cannot store the presence of this hostname, which its encoding may lack; it is set aside, and tried again';

export class PresenceTracker {
  readonly #warnings: RepeatedWarnings;
  readonly #pending = new PendingWrites();
  readonly #housekeeping: Housekeeping;
  readonly #reader: PresenceReader;
  readonly #lease: Lease;
  #isRetentionExplained = false;

  constructor(private readonly options: PresenceOptions) {
    const { gateway, pool, timing } = options;
    this.#warnings = new RepeatedWarnings(options.log);
    this.#housekeeping = new Housekeeping(options);
    this.#reader = this.#createReader();
    const leaseSettings: LeaseSettings = { ...timing, writeGapMs: timing.presenceWriteGapMs };
    this.#lease = new Lease(
      gateway,
      this.#pending,
      new PresenceWriter(pool),
      {
        gatewaysChanged: () => this.#reader.invalidateAll(),
        lost: () => this.#leaseLost(),
        written: ({ agents }) => options.metrics.presenceWritten(agents.length),
        renewed: () => this.#keepHouse(),
        failed: (error) => this.#failed(error),
        setAside: (hostname, err) => options.log.error({ hostname, err }, UNSTORABLE),
      },
      leaseSettings,
    );
  }

  /**
   * The feed became live or stale. Agents may connect once the table has been read, so the lease is
   * acquired when the feed is first live, and kept if it later goes stale.
   */
  setLive(live: boolean): void {
    this.#reader.setLive(live);
    if (live) this.#lease.start();
  }

  /** The presence of these hostnames must be read. */
  invalidate(hostnames: readonly string[]): void {
    this.#reader.invalidate(hostnames);
  }

  /** The fleet has a new entry for a row. */
  applyRow(entry: RowEntry): void {
    this.#reader.applyRow(entry);
  }

  agentConnected(hostname: string): void {
    this.#pending.agentConnected(hostname, performance.now());
    this.#lease.writeSoon();
  }

  agentDisconnected(hostname: string): void {
    this.#pending.agentDisconnected(hostname, performance.now());
    this.#lease.writeSoon();
  }

  /** An assignment was written to a socket of its agent. */
  addPush(hostname: string, assignmentId: string): void {
    this.#pending.addPush(hostname, assignmentId, performance.now());
    this.#lease.writeSoon();
  }

  /** How many hostnames the database cannot store. */
  get setAsideCount(): number {
    return this.#pending.setAsideCount;
  }

  /** Returns how long ago this assignment was pushed; undefined if that is not pending. */
  findPushAge(hostname: string, assignmentId: string): number | undefined {
    const atMs = this.#pending.findPushTime(hostname, assignmentId);
    return atMs === undefined ? undefined : performance.now() - atMs;
  }

  /** The push of this assignment was written together with its acknowledgement. */
  removePush(hostname: string, assignmentId: string): void {
    this.#pending.removePush(hostname, assignmentId);
  }

  /** The agent's report is written, and other gateways must read it. */
  addReport(hostname: string): void {
    this.#pending.addReport(hostname);
    this.#lease.writeSoon();
  }

  /** From now on agents may be rejected here, so their absence proves nothing. */
  beginDrain(): void {
    this.#lease.beginDrain();
  }

  /** Writes what is pending and releases the lease, if the database answers. Never rejects. */
  stop(): Promise<void> {
    return this.#lease.stop();
  }

  #createReader(): PresenceReader {
    const { fleet, pool, publish, timing, log } = this.options;
    return new PresenceReader(
      fleet,
      {
        read: (hostnames) => readPresence(pool, hostnames),
        publish,
        failed: (err) => this.#warnings.warn(log, { err }, 'could not read presence; trying again'),
      },
      { ...timing, readGapMs: timing.presenceReadGapMs },
    );
  }

  #leaseLost(): void {
    const { metrics, log } = this.options;
    this.#warnings.warn(log, {}, 'the lease was lost; acquiring another');
    metrics.leaseLost();
  }

  async #keepHouse(): Promise<void> {
    try {
      if (!this.#lease.draining) this.#reportFailed(await this.#failAbsentVms());
      await this.#housekeeping.pruneWhenDue((step) => this.#reportPruned(step));
    } catch (error) {
      this.#failed(error);
    }
  }

  #failAbsentVms(): Promise<readonly string[]> {
    const message = 'the database does not let a VM be set failed whose agent stayed away';
    return this.#housekeeping.failAbsentVms((id, err) =>
      this.#warnings.warn(this.options.log, { id, err }, message),
    );
  }

  #reportPruned({ removed, mayPruneEvents, auditBytes }: RetentionStep): void {
    const { metrics, log, auditDays } = this.options;
    for (const [table, rows] of Object.entries(removed)) metrics.rowsPruned(table, rows);
    metrics.auditMeasured(auditBytes);
    if (mayPruneEvents || auditDays === 0 || this.#isRetentionExplained) return;
    this.#isRetentionExplained = true;
    log.info('this role may not remove events of the audit; run "db prune" as the owner each day');
  }

  #reportFailed(hostnames: readonly string[]): void {
    const { metrics, log } = this.options;
    metrics.failedAbsent(hostnames.length);
    for (const hostname of hostnames) log.info({ hostname }, 'set failed: its agent stayed away');
  }

  #failed(err: unknown): void {
    const message = 'presence could not be written; trying again';
    this.#warnings.warn(this.options.log, { err }, message);
  }
}
