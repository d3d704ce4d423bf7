// Mends what the doctor finds and what can be mended without harm, each finding by the statements
// that the doctor prints, and then asks the doctor again.

import { toMaintenanceError } from './maintenance-error.js';
import { diagnose, type DoctorOptions, type Finding } from './doctor/doctor.js';
import { inTransaction, withSession } from './session.js';

export interface Repair {
  readonly finding: Finding;
  /** Undefined if it was mended, or would be. */
  readonly failure: string | undefined;
}

export interface RepairReport {
  readonly repairs: readonly Repair[];
  /** Findings that are left: they need a person. */
  readonly left: readonly Finding[];
}

/** These cannot run in a transaction. */
const ALONE = /^(DROP DATABASE|\w+ (UNIQUE )?INDEX CONCURRENTLY)/;

/**
 * Mends each finding in a transaction of its own, so that one that fails keeps none of the others
 * from being mended.
 *
 * @param dryRun changes nothing.
 * @throws MaintenanceError, or an error of `pg` or of the network, if the database cannot be
 * reached
 */
export async function repair(options: DoctorOptions, dryRun: boolean): Promise<RepairReport> {
  const { findings } = await diagnose(options);
  const mendable = findings.filter(({ statements = [] }) => statements.length > 0);
  if (dryRun) {
    return {
      repairs: mendable.map((finding) => ({ finding, failure: undefined })),
      left: findings.filter((finding) => !mendable.includes(finding)),
    };
  }
  const repairs: Repair[] = [];
  for (const finding of mendable) {
    const failure = await mend(options, finding).then(() => undefined, explain);
    options.signal?.throwIfAborted();
    repairs.push({ finding, failure });
  }
  const after = mendable.length === 0 ? { findings } : await diagnose(options);
  return { repairs, left: after.findings };
}

async function mend(
  { connection, signal }: DoctorOptions,
  { statements = [] }: Finding,
): Promise<void> {
  await withSession(
    connection,
    'repair',
    async (session) => {
      const run = async (): Promise<void> => {
        for (const statement of statements) await session.query(statement);
      };
      if (statements.some((statement) => ALONE.test(statement))) await run();
      else await inTransaction(session, 'BEGIN', run);
    },
    signal,
  );
}

function explain(error: unknown): string {
  const known = toMaintenanceError(error);
  return known instanceof Error ? known.message : String(known);
}
