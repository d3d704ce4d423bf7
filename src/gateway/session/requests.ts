// What a session asks of the rest of the gateway when its client asks for something. Answers are values: a refusal
// goes to the client as an `error`, the socket stays open.

import type { Identity, Verified } from '../auth/token.js';
import type { ErrorCode, StatusReport } from '../../protocol/messages.js';

export interface RequestRejection {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Every promise settles with a value; a rejection is a bug. `session` is who asks, for the log. */
export interface RequestHandlers {
  /** Records that the agent has got this assignment. */
  acknowledge(
    agent: Identity,
    assignmentId: string,
    session: string,
  ): Promise<RequestRejection | undefined>;
  /** Sets the status of the agent's own VM. The change comes back as news. */
  reportStatus(
    agent: Identity,
    report: StatusReport,
    session: string,
  ): Promise<RequestRejection | undefined>;
  /** Checks a fresh token. */
  verify(token: string): Verified;
}
