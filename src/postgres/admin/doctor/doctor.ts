// The doctor: checks for known problems. Each finding explains the problem and says what to do.

import type pg from 'pg';
import { checkAccess } from './access.js';
import { checkClock } from './clock.js';
import { checkEncoding } from './encoding.js';
import type { Check, Finding, CheckContext } from './finding.js';
import { checkNotifications } from './notifications.js';
import { checkPasswords } from './passwords.js';
import { checkHba } from './hba.js';
import { checkRights } from './rights.js';
import { checkSchema } from './schema.js';
import { checkServer } from './server.js';
import { withSession } from '../session.js';
import { toMaintenanceError, MaintenanceError } from '../maintenance-error.js';

export type { Finding, FindingId } from './finding.js';

export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** Checks that this role's rights did not allow, and why. */
  readonly skipped: readonly { readonly check: string; readonly why: string }[];
}

export interface DoctorOptions {
  /** The direct connection, for LISTEN and for the checks' queries. */
  readonly connection: pg.ClientConfig;
  /** The connection of the gateway's queries; the same if there is no pooler. */
  readonly queries: pg.ClientConfig;
  /** Whether the server is on another machine. */
  readonly isRemote: boolean;
  readonly nowMs?: () => number;
}

const CHECKS: Readonly<Record<string, Check>> = {
  server: checkServer,
  schema: checkSchema,
  notifications: checkNotifications,
  access: checkAccess,
  rights: checkRights,
  hba: checkHba,
  passwords: checkPasswords,
  encoding: checkEncoding,
  clock: checkClock,
};

/**
 * Runs all checks. A check that needs more rights is listed as skipped.
 *
 * @throws MaintenanceError, or an error of `pg` or of the network, if the database cannot be
 * checked.
 */
export function diagnose({ nowMs = Date.now, ...options }: DoctorOptions): Promise<Diagnosis> {
  return withSession(options.connection, 'doctor', async (session) => {
    const context: CheckContext = { ...options, nowMs, session };
    const findings: Finding[] = [];
    const skipped: { check: string; why: string }[] = [];
    for (const [check, run] of Object.entries(CHECKS)) {
      try {
        findings.push(...(await run(context)));
      } catch (error) {
        const known = toMaintenanceError(error);
        if (!(known instanceof MaintenanceError) || known.code !== 'rights') throw error;
        skipped.push({ check, why: known.message });
      }
    }
    return { findings, skipped };
  });
}
