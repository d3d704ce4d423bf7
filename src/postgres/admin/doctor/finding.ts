// The types of the doctor's checks: their input, and their findings.

import type pg from 'pg';

/** Stable ids for programs; never renamed. */
export type FindingId =
  | 'server_too_old'
  | 'server_end_of_life'
  | 'server_outdated'
  | 'standby'
  | 'pending_restart'
  | 'connections_near_limit'
  | 'connections_taken'
  | 'values_logged'
  | 'schema_not_current'
  | 'columns_missing'
  | 'triggers_changed'
  | 'indexes_missing'
  | 'sequence_behind'
  | 'listen_deaf'
  | 'payload_size'
  | 'queue_filling'
  | 'notify_lock_waits'
  | 'transaction_open'
  | 'slot_retains_wal'
  | 'scratch_left'
  | 'audit_unpruned'
  | 'audit_large'
  | 'grants_missing'
  | 'connect_public'
  | 'create_public'
  | 'functions_public'
  | 'row_security'
  | 'no_tls'
  | 'tls_unchecked'
  | 'hba_unreadable'
  | 'hba_trust'
  | 'hba_md5'
  | 'hba_open'
  | 'weak_password'
  | 'encoding'
  | 'unreadable_rows'
  | 'clock_skew';

export interface Finding {
  /** Stable, for programs. */
  readonly id: FindingId;
  /**
   * `error`: the gateway does not work, or others can read or forge data. `warning`: it may soon.
   */
  readonly severity: 'error' | 'warning';
  readonly explanation: string;
  /** What to do. */
  readonly remedy: string;
  /** Statements that mend it without harm, in their order; `db repair` runs them. */
  readonly statements?: readonly string[];
}

/** What a check may use. */
export interface CheckContext {
  readonly session: pg.Client;
  readonly connection: pg.ClientConfig;
  readonly queries: pg.ClientConfig;
  readonly isRemote: boolean;
  /** How many days the audit is to be kept; 0 for ever. */
  readonly auditDays: number;
  readonly nowMs: () => number;
}

/** A check of the doctor. It rejects with insufficient_privilege if the role may not look. */
export type Check = (patient: CheckContext) => Promise<Finding[]>;
