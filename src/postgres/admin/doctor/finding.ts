// What the doctor's checks look at, and what they find.

import type pg from 'pg';

export type FindingId =
  | 'server_too_old'
  | 'standby'
  | 'pending_restart'
  | 'connections_near_limit'
  | 'schema_not_current'
  | 'triggers_changed'
  | 'indexes_missing'
  | 'sequence_behind'
  | 'listen_deaf'
  | 'payload_size'
  | 'queue_filling'
  | 'connect_public'
  | 'no_tls'
  | 'tls_unchecked'
  | 'hba_unreadable'
  | 'hba_trust'
  | 'hba_md5'
  | 'hba_open'
  | 'weak_password'
  | 'clock_skew';

export interface Finding {
  /** Stable, for programs. */
  readonly id: FindingId;
  /** `error`: the gateway cannot do its work, or others can read or forge it. `warning`: it may come to that. */
  readonly severity: 'error' | 'warning';
  readonly explanation: string;
  /** What to do. */
  readonly remedy: string;
}

export interface CheckContext {
  readonly session: pg.Client;
  readonly connection: pg.ClientConfig;
  readonly queries: pg.ClientConfig;
  readonly isRemote: boolean;
  readonly nowMs: () => number;
}

export type Check = (patient: CheckContext) => Promise<Finding[]>;
