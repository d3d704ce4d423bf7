// The requests that a session passes on for its client. Outcomes are values: a rejection is sent to
// the client as an `error` message, and the socket stays open.

import type { Identity, VerifyResult } from '../auth/token.js';
import type { ErrorCode, StatusReport } from '../../protocol/messages.js';

/** The content of the `error` message for a request that was not carried out. */
export interface RequestRejection {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Carries out the requests of sessions. Each promise resolves to undefined on success; it rejects
 * only because of a bug. `session` is the id of the session that asks, for the log and the audit.
 */
export interface RequestHandlers {
  /** Records that the agent has received this assignment. */
  acknowledge(
    agent: Identity,
    assignmentId: string,
    session: string,
  ): Promise<RequestRejection | undefined>;
  /** Sets the status of the agent's own VM. The changed row arrives through the feed. */
  reportStatus(
    agent: Identity,
    report: StatusReport,
    session: string,
  ): Promise<RequestRejection | undefined>;
  /** Verifies a renewed token. */
  verify(token: string): VerifyResult;
}
