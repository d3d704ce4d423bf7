// Carries out the requests of sessions in the database. Sockets receive the resulting changes
// through the feed, like every other change.

import type { Logger } from 'pino';
import type { Identity, Verifier } from '../../auth/token.js';
import { acknowledge, reportStatus, type ReportOutcome } from '../../database/reports.js';
import type { ConnectionSource } from '../../database/connection-source.js';
import { findRuleViolation } from '../../database/rule-violation.js';
import type { Actor } from '../../database/transaction.js';
import { isEncodingError } from '../../database/unreadable-row.js';
import type { RequestRejection, RequestHandlers } from '../../session/requests.js';
import { RepeatedWarnings } from '../../stale/repeated-warnings.js';

const STALE: RequestRejection = {
  code: 'stale_assignment',
  message: 'this assignment is no longer the current one',
};

const REJECTIONS: Readonly<Record<ReportOutcome, RequestRejection | undefined>> = {
  done: undefined,
  stale: STALE,
  'not-failed': { code: 'not_allowed', message: 'only a failed VM may be reported available' },
  'no-vm': { code: 'not_allowed', message: 'there is no VM of this hostname' },
};

/** Receives the reports of agents. Must not throw. */
export interface AgentReports {
  /**
   * Returns the age of an assignment's push in ms, if it is to be written with the acknowledgement.
   */
  readonly pushedAgoMs: (hostname: string, assignmentId: string) => number | undefined;
  /** The time of the push is written. */
  readonly pushWritten: (hostname: string, assignmentId: string) => void;
  /** The presence of this hostname's agent has changed in the database. */
  readonly reported: (hostname: string) => void;
  /** An assignment was acknowledged for the first time, `tookSeconds` after it was made. */
  readonly acknowledged: (tookSeconds: number) => void;
}

/**
 * Creates the handlers.
 * @param connect returns the source of connections for the reports of this identity
 */
export function createRequests(
  connect: (identity: string) => ConnectionSource,
  verify: Verifier,
  reports: AgentReports,
  log: Logger,
): RequestHandlers {
  const warnings = new RepeatedWarnings(log);
  const attempt = async (
    session: string,
    work: () => Promise<RequestRejection | undefined>,
  ): Promise<RequestRejection | undefined> => {
    try {
      return await work();
    } catch (err) {
      warnings.warn(log, { err, session }, 'a request of an agent failed');
      const violation = findRuleViolation(err);
      if (violation !== undefined)
        return { code: 'not_allowed', message: `${violation.rule} of the database rejects it` };
      if (isEncodingError(err)) return REJECTIONS['no-vm'];
      return { code: 'unavailable', message: 'the database does not answer; try again' };
    }
  };
  return {
    verify,
    acknowledge: (agent, assignmentId, session) =>
      attempt(session, async () => {
        const hostname = agent.sub;
        const pushedAgoMs = reports.pushedAgoMs(hostname, assignmentId);
        const acknowledgement = { hostname, assignmentId, pushedAgoMs };
        const actor = createSessionActor(agent, session);
        const acknowledged = await acknowledge(connect(actor.name), actor, acknowledgement);
        if (acknowledged === undefined) return STALE;
        const { tookSeconds } = acknowledged;
        // A repeated acknowledgement does not record the push, which stays pending and is written
        // like any other.
        if (tookSeconds !== undefined) {
          reports.acknowledged(tookSeconds);
          reports.pushWritten(hostname, assignmentId);
        }
        reports.reported(hostname);
        return undefined;
      }),
    reportStatus: (agent, { status, assignment_id }, session) =>
      attempt(session, async () => {
        const report = { hostname: agent.sub, status, assignmentId: assignment_id };
        const actor = createSessionActor(agent, session);
        return REJECTIONS[await reportStatus(connect(actor.name), actor, report)];
      }),
  };
}

/**
 * Creates the actor of a session, for the audit: the session's id has the place of a request id.
 */
function createSessionActor({ role, sub }: Identity, session: string): Actor {
  return { name: `${role}:${sub}`, requestId: `session-${session}` };
}
