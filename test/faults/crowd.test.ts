// The gateway is killed with 2,000 agents connected, while they are assigned: all come back by
// themselves, each after a pause of its own, none misses its assignment, and none runs it twice.

import t from 'tap';
import { startDatabase, type TestDatabase } from '../helpers/database.js';
import { until } from '../helpers/until.js';
import { startCrowd } from './crowd.js';
import { GATEWAY_SECRET, startGatewayProcess } from './gateway-process.js';

const AGENTS = 2_000;
/** The longest first pause of a client that was cut off: see src/client/backoff.ts. */
const LONGEST_PAUSE_MS = 2_000;

/**
 * Assigns these VMs a few at a time; and changes those that are assigned already, which is no new
 * assignment.
 */
async function assign(database: TestDatabase, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 20) {
    await database.query(
      `UPDATE vms SET status = 'in-use', email = hostname || '@x.y', crd_command = 'run ' || hostname
       WHERE hostname IN (SELECT 'vm-' || n FROM generate_series($1::int, $2::int) n)`,
      [n, n + 19],
    );
    await database.query(
      `UPDATE vms SET created_at = created_at - interval '1 second'
       WHERE hostname IN (SELECT 'vm-' || n FROM generate_series(0, $1::int, 97) n)`,
      [n],
    );
  }
}

t.test('a gateway that is killed with two thousand agents', async (t) => {
  const database = await startDatabase(t);
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(0, $1::int) n`,
    [AGENTS - 1],
  );
  const gateway = await startGatewayProcess(t, database.config);
  const crowd = startCrowd(t, {
    ...{ url: gateway.url, secret: GATEWAY_SECRET },
    ...{ prefix: 'vm-', size: AGENTS, processes: 2 },
  });
  await crowd.connected();

  await assign(database, 0, 600);
  const during = assign(database, 600, 1_200);
  await gateway.kill();
  await during;
  const after = assign(database, 1_200, AGENTS);
  await gateway.start();
  await after;
  await crowd.connected();
  await until('every assignment has been acknowledged', async () => {
    const missing = await database.query(
      `SELECT FROM vms WHERE NOT EXISTS (
         SELECT FROM vm_deliveries d
         WHERE d.assignment_id = vms.assignment_id AND d.acknowledged_at IS NOT NULL)`,
    );
    return missing.length === 0;
  });

  const reports = await crowd.report();
  const assigned = await database.query<{ hostname: string; assignment_id: string }>(
    'SELECT hostname, assignment_id FROM vms',
  );
  const runs = new Map(reports.map((report) => [report.hostname, report.runs]));
  const wrong = assigned.filter(({ hostname, assignment_id }) => {
    const ran = runs.get(hostname) ?? [];
    return ran.length !== 1 || ran[0] !== assignment_id;
  });
  t.same(wrong, [], 'everyone ran the one assignment, once');

  const pauses = reports.map(({ pausesMs: [first = NaN] }) => first);
  t.notOk(pauses.some(Number.isNaN), 'everyone was cut off, and came back');
  const quarters = [0, 1, 2, 3].map(
    (quarter) => pauses.filter((ms) => Math.floor((4 * ms) / LONGEST_PAUSE_MS) === quarter).length,
  );
  t.ok(
    quarters.every((count) => count > AGENTS / 8),
    `after pauses of all lengths: ${quarters.join(', ')} in the quarters`,
  );
});
