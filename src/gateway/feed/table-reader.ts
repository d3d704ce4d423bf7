// Reads the table for the feed, and what belongs to it: the key that proves assignments and the
// assignments that agents must not run. Both are read again with each full read, because a restore
// or a migration may have changed them.

import type { KeyObject } from 'node:crypto';
import type pg from 'pg';
import type { Logger } from 'pino';
import { readAssignmentKey } from '../database/assignment-key.js';
import {
  checkTable,
  probeServer,
  readAdoptedAssignments,
  readRows,
} from '../database/fleet-reads.js';
import type { ReadRequest } from '../stale/stale-hostnames.js';
import { verifyAssignment } from './assignment-proof.js';
import type { VerifyClaim } from './dispatcher.js';
import { describeShape, ReadOnlyError, TableShapeError } from './read-failure.js';
import type { ReadResult } from './reconciler.js';
import type { TableCheck } from './resync.js';
import { UnreadableRows } from './unreadable-rows.js';

const KEY_MISSING =
  'each assignment is read from the table before an agent is sent it, because this role may not ' +
  'read the key: GRANT SELECT (key) ON vm_keys TO this role';

export interface TableReaderOptions {
  readonly pool: pg.Pool;
  /** Closes the idle connections of the pool. */
  readonly discardIdle: () => void;
  /** Rejects if the other pools have no connection, and the server refuses them one. */
  readonly probeOthers: () => Promise<void>;
  /** @param usage of the server's queue of notifications, from 0 to 1. */
  readonly queueUsageObserved: (usage: number) => void;
  readonly log: Logger;
}

export class TableReader {
  /** The key of the table as it was last read; undefined if this role may not read it. */
  #assignmentKey: KeyObject | undefined;
  #isKeyMissingLogged = false;
  /** Assignments that agents must not run; only a first installation adds to them. */
  #adopted: ReadonlySet<string> = new Set();

  readonly #unreadable: UnreadableRows;

  constructor(private readonly options: TableReaderOptions) {
    this.#unreadable = new UnreadableRows(options.log);
  }

  /** How many rows cannot be read. */
  get unreadableRows(): number {
    return this.#unreadable.size;
  }

  /** Whether the claim was made by the table's trigger; undefined if the key is not known. */
  readonly verify: VerifyClaim = (claim) =>
    this.#assignmentKey && verifyAssignment(this.#assignmentKey, claim);

  /** Reads all rows or some. Rejects if the database refuses, or the signal is aborted. */
  async read(request: ReadRequest, signal: AbortSignal): Promise<ReadResult> {
    const { pool } = this.options;
    if (request.kind === 'all') {
      await this.#readKey();
      this.#adopted = await readAdoptedAssignments(pool);
    }
    const result = await readRows(pool, request, { signal }, this.#adopted);
    this.#unreadable.record(request, result.unreadable);
    return result;
  }

  /** Checks the table and its triggers on a new connection. Rejects if the database refuses. */
  async check(): Promise<TableCheck> {
    const { pool, discardIdle, probeOthers, queueUsageObserved } = this.options;
    // The address may have moved while the connections to its former server stayed up.
    discardIdle();
    await probeServer(pool);
    await probeOthers();
    const table = await checkTable(pool);
    if (table.readOnly) throw new ReadOnlyError();
    const shape = describeShape(table.missingColumns, table.isTable);
    if (shape !== undefined) throw new TableShapeError(shape);
    queueUsageObserved(table.queueUsage);
    return table;
  }

  async #readKey(): Promise<void> {
    this.#assignmentKey = await readAssignmentKey(this.options.pool);
    const isMissing = this.#assignmentKey === undefined;
    if (isMissing && !this.#isKeyMissingLogged) this.options.log.warn(KEY_MISSING);
    this.#isKeyMissingLogged = isMissing;
  }
}
