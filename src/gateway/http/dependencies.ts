// The dependencies of the HTTP API: its limits, metrics and the services that its routes use.

import type { Logger } from 'pino';
import type { TrustProxy } from '../../config/address.js';
import type { Verifier } from '../auth/token.js';
import type { SharedPool } from '../database/shared-pool.js';
import type { Hub } from '../hub/hub.js';
import type { SocketLimits } from '../session/connection-slots.js';
import type { OnRejection } from '../session/limits.js';
import type { Session } from '../session/session.js';
import type { Sessions } from '../session/sessions.js';
import type { OnResponse } from './problems/response-log.js';
import type { NotReady } from './routes/health.js';
import type { ReadMetrics } from './routes/metrics.js';

/** The limits that an operator configures. */
export interface HttpLimits {
  /** Origins, besides the gateway's own, whose pages may use the gateway from a browser. */
  readonly allowedOrigins: readonly string[];
  readonly trustProxy: TrustProxy;
  /** The limit of HTTP requests per minute of one identity. */
  readonly requestsPerMinute: number;
  /**
   * The limits of sockets and waiting requests. The total is lower if the process may not open as
   * many files.
   */
  readonly socketLimits: SocketLimits;
  /** How long closing all sockets may take when the gateway stops, in ms. */
  readonly drainMs: number;
}

/** Reads the metrics, and counts what happens in the HTTP API. Must not throw. */
export interface HttpMetrics {
  readonly read: ReadMetrics;
  readonly answered: OnResponse;
  readonly refused: OnRejection;
  readonly opened: (session: Session) => void;
  /** @param code the close code of the socket */
  readonly closed: (session: Session, code: number) => void;
  /** An assignment was acknowledged for the first time, `tookSeconds` after it was made. */
  readonly acknowledged: (tookSeconds: number) => void;
}

/** Tracks what agents receive and report. Must not throw. */
export interface DeliveryTracker {
  /** An assignment was written to a socket of its agent. */
  readonly pushed: (hostname: string, assignmentId: string) => void;
  /** Returns the age of a push in ms, if it is to be written with the acknowledgement. */
  readonly pushedAgoMs: (hostname: string, assignmentId: string) => number | undefined;
  /** The time of the push is written. */
  readonly pushWritten: (hostname: string, assignmentId: string) => void;
  /** The presence of this hostname's agent has changed in the database. */
  readonly reported: (hostname: string) => void;
}

/** Everything that the HTTP API needs. */
export interface HttpApiDependencies {
  /** The name of this process in `welcome`. */
  readonly gateway: string;
  readonly version: string;
  readonly pool: SharedPool;
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly verify: Verifier;
  /** The first signs the tokens of agents that enrol and of sign-ins; none if others sign. */
  readonly secrets: readonly string[];
  readonly limits: HttpLimits;
  readonly metrics: HttpMetrics;
  readonly tracker: DeliveryTracker;
  readonly heartbeatMs: number;
  /** How long a client may be silent, or read nothing, in ms. */
  readonly clientTimeoutMs: number;
  /** How long a closing gateway waits for the close handshakes of its sockets, in ms. */
  readonly closeHandshakeMs: number;
  /** Reduces a row's JSON text to the columns that a dashboard sees. */
  readonly project: (row: string) => string;
  /** Whether the fleet has been read. Before that there is no state to send. */
  readonly isLoaded: () => boolean;
  readonly notReady: NotReady;
  readonly log: Logger;
}
