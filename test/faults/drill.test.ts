// A slice of the failover drill: the two cases in which an old server lives on and could still
// answer. `npm run drill` runs all, with more agents.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lacking } from '../deploy/deployed.js';
import { installedBinDirs } from '../helpers/database.js';
import { runDrill, type Scenario } from './drill-run.js';

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_basebackup')));
const skip = lacking('haproxy') || (tools === undefined && 'there is no pg_basebackup');
const SLICE: readonly Scenario[] = ['planned, old server alive', 'unplanned, old server alive'];

for (const scenario of SLICE) {
  t.test(scenario, { skip }, async (t) => {
    const report = await runDrill(t, scenario, {
      binDir: tools?.binDir ?? '',
      agents: 10,
      loadMs: 300,
      timing: { beatIntervalMs: 200, beatDeadlineMs: 1_000 },
    });
    t.same(report.wrong, []);
    t.ok(report.assigned > 0, JSON.stringify(report));
  });
}
