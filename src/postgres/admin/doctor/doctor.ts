// The doctor: checks for known problems. Each finding explains the problem and says what to do.

import pg from 'pg';
import { checkAccess } from './access.js';
import { checkClock } from './clock.js';
import { checkEncoding } from './encoding.js';
import type { Check, Finding, CheckContext } from './finding.js';
import { checkNotifications } from './notifications.js';
import { checkConfiguredPassword, checkPasswords } from './passwords.js';
import { checkHba } from './hba.js';
import { checkLeftovers } from './leftovers.js';
import { checkRights } from './rights.js';
import { checkSchema } from './schema.js';
import { checkServer } from './server.js';
import { checkWaits, readSight } from './waits.js';
import { withSession } from '../session.js';
import { toMaintenanceError } from '../maintenance-error.js';

export type { Finding, FindingId } from './finding.js';

export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** Checks that found nothing. */
  readonly passed: readonly string[];
  /** Checks that could not be made, or only in part, and why. */
  readonly skipped: readonly { readonly check: string; readonly why: string }[];
}

export interface DoctorOptions {
  /** The direct connection, for LISTEN and for the checks' queries. */
  readonly connection: pg.ClientConfig;
  /** The connection of the gateway's queries; the same if there is no pooler. */
  readonly queries: pg.ClientConfig;
  /** Whether the server is on another machine. */
  readonly isRemote: boolean;
  /** How many days the audit is to be kept; 0 for ever. By default its age is not checked. */
  readonly auditDays?: number;
  readonly signal?: AbortSignal;
  readonly nowMs?: () => number;
}

/** In this order the findings are reported. The waits come before what could wait for them. */
const CHECKS: Readonly<Record<string, Check>> = {
  server: checkServer,
  waits: (context) => checkWaits(context),
  leftovers: checkLeftovers,
  access: checkAccess,
  rights: checkRights,
  schema: checkSchema,
  notifications: checkNotifications,
  hba: checkHba,
  passwords: checkPasswords,
  encoding: checkEncoding,
  clock: checkClock,
};

/** A check must not wait for ever, for example for a commit that waits for a standby. */
const CHECK_TIMEOUT = '20s';

/**
 * Runs all checks. A check that cannot be made is listed as skipped, with the reason, and does not
 * keep the others from being made. If all connections of the server are taken, that is the finding.
 *
 * @throws MaintenanceError, or an error of `pg` or of the network, if the database cannot be
 * reached.
 */
export async function diagnose(options: DoctorOptions): Promise<Diagnosis> {
  const { connection, nowMs = Date.now, auditDays = 0, signal } = options;
  try {
    return await withSession(
      connection,
      'doctor',
      async (session) => {
        await session.query(`SET statement_timeout TO '${CHECK_TIMEOUT}'`);
        const context: CheckContext = { ...options, nowMs, auditDays, session };
        const diagnosis = await runChecks(context, signal);
        const unseen = await readSight(session).catch(() => undefined);
        if (unseen === undefined) return diagnosis;
        return {
          ...diagnosis,
          skipped: [...diagnosis.skipped, { check: 'sessions', why: unseen }],
        };
      },
      signal,
    );
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== TOO_MANY_CONNECTIONS) throw error;
    return diagnoseWithoutConnection(connection, error.message);
  }
}

async function runChecks(context: CheckContext, signal?: AbortSignal): Promise<Diagnosis> {
  const findings: Finding[] = [];
  const passed: string[] = [];
  const skipped: { check: string; why: string }[] = [];
  for (const [check, run] of Object.entries(CHECKS)) {
    try {
      const found = await run(context);
      findings.push(...found);
      if (found.length === 0) passed.push(check);
    } catch (error) {
      signal?.throwIfAborted();
      const known = toMaintenanceError(error);
      skipped.push({ check, why: known instanceof Error ? known.message : String(known) });
    }
  }
  return { findings, passed, skipped };
}

/** too_many_connections: of the server, of the database or of the role. */
const TOO_MANY_CONNECTIONS = '53300';

function diagnoseWithoutConnection(connection: pg.ClientConfig, why: string): Diagnosis {
  const taken: Finding = {
    id: 'connections_taken',
    severity: 'error',
    explanation: `The server accepts no further connection (${why}): gateways, agents and people that reconnect now find none.`,
    remedy:
      'As a superuser, for whom some connections are reserved: "lablink-gateway db connections", then end idle ones ("db kill-idle"). Then raise max_connections or the CONNECTION LIMIT of the role.',
  };
  const skipped = Object.keys(CHECKS).map((check) => ({ check, why }));
  return { findings: [taken, ...checkConfiguredPassword(connection)], passed: [], skipped };
}
