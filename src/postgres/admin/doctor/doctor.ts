// The doctor: looks for what is known to go wrong, and says of each finding what it means and what to do.

import type pg from 'pg';
import { checkAccess } from './access.js';
import { checkClock } from './clock.js';
import type { Check, Finding, CheckContext } from './finding.js';
import { checkNotifications } from './notifications.js';
import { checkPasswords } from './passwords.js';
import { checkHba } from './hba.js';
import { checkSchema } from './schema.js';
import { checkServer } from './server.js';
import { withSession } from '../session.js';
import { toMaintenanceError, MaintenanceError } from '../maintenance-error.js';

export type { Finding, FindingId } from './finding.js';

export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** What could not be looked at with this role's rights, and why. */
  readonly skipped: readonly { readonly check: string; readonly why: string }[];
}

export interface DoctorOptions {
  /** The direct way: LISTEN, and all questions. */
  readonly connection: pg.ClientConfig;
  /** As the gateway's queries go; the same, where there is no pooler. */
  readonly queries: pg.ClientConfig;
  /** Whether the way to the server leaves this machine. */
  readonly isRemote: boolean;
  readonly nowMs?: () => number;
}

const CHECKS: Readonly<Record<string, Check>> = {
  server: checkServer,
  schema: checkSchema,
  notifications: checkNotifications,
  access: checkAccess,
  hba: checkHba,
  passwords: checkPasswords,
  clock: checkClock,
};

export function diagnose({ nowMs = Date.now, ...options }: DoctorOptions): Promise<Diagnosis> {
  return withSession(options.connection, 'doctor', async (session) => {
    const patient: CheckContext = { ...options, nowMs, session };
    const findings: Finding[] = [];
    const skipped: { check: string; why: string }[] = [];
    for (const [check, look] of Object.entries(CHECKS)) {
      try {
        findings.push(...(await look(patient)));
      } catch (error) {
        const known = toMaintenanceError(error);
        if (!(known instanceof MaintenanceError) || known.code !== 'rights') throw error;
        skipped.push({ check, why: known.message });
      }
    }
    return { findings, skipped };
  });
}
