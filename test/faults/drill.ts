// The failover drill in full, with the product's own timing: `npm run drill`. Exits with 1 if an
// agent or a request was served by the wrong server.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TIMING } from '../../src/gateway/timing.js';
import { installedBinDirs } from '../helpers/database.js';
import { runDrill, SCENARIOS } from './drill-run.js';

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_basebackup')));
if (tools === undefined) throw new Error('there is no pg_basebackup');

console.log(
  '| change | feed stale after | ready after | 201 | not 201 | lost with the old server |',
);
console.log(
  '| ------ | ---------------: | ----------: | --: | ------: | -----------------------: |',
);
for (const scenario of SCENARIOS) {
  const stops: (() => unknown)[] = [];
  try {
    const report = await runDrill({ teardown: (stop) => stops.push(stop) }, scenario, {
      binDir: tools.binDir,
      agents: 100,
      loadMs: 5_000,
      timing: TIMING,
    });
    const { staleAfterMs, readyAfterMs, assigned, refused, lost, wrong } = report;
    const cells = [`${staleAfterMs} ms`, `${readyAfterMs} ms`, assigned, refused, lost];
    console.log(`| ${[scenario, ...cells].join(' | ')} |`);
    for (const what of wrong) console.log(`WRONG: ${what}`);
    if (wrong.length > 0) process.exitCode = 1;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}
