// Prints the matrix of worlds and steps as a Markdown table, for every PostgreSQL that is given.
// Exits with 1 if a cell is wrong. `npm run matrix -- --servers DIR:DIR --only name`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installedBinDirs, startServer } from '../helpers/database.js';
import { runWorld, STEPS, type Row } from './run.js';
import { WORKS } from './steps.js';
import { WORLDS } from './worlds.js';

const { values } = parseArgs({
  options: {
    /** Folders with `postgres` and `initdb`; by default those of this machine. */
    servers: { type: 'string' },
    /** Only worlds whose name contains this. */
    only: { type: 'string', default: '' },
  },
});

const folders = values.servers?.split(':') ?? installedBinDirs().map(({ binDir }) => binDir);
const reasons = new Map<string, number>();
const stops: (() => unknown)[] = [];
let wrong = 0;

console.log(`| PostgreSQL | world | ${STEPS.join(' | ')} |`);
console.log(`| --- | --- | ${STEPS.map(() => '---').join(' | ')} |`);
for (const binDir of folders) {
  const t = { teardown: (stop: () => unknown) => stops.push(stop) };
  const server = await startServer(t, { binDir });
  const { majorVersion } = server.server;
  const hasTools = existsSync(join(binDir, 'pg_dump'));
  for (const world of WORLDS) {
    if (!world.name.includes(values.only) || majorVersion < (world.since ?? 0)) continue;
    const row = await runWorld(server, world, hasTools).catch((error: unknown) => {
      console.error(world.name, error);
      wrong++;
      return undefined;
    });
    if (row === undefined) continue;
    console.log(`| ${majorVersion} | ${world.name} | ${formatCells(row)} |`);
  }
  for (const stop of stops.splice(0).reverse()) await stop();
}
console.log('');
for (const [reason, number] of reasons) console.log(`${number}. ${reason}`);
process.exitCode = wrong === 0 ? 0 : 1;

function formatCells(row: Row): string {
  return STEPS.map((step) => {
    const outcome = row[step];
    if (outcome === WORKS) return 'works';
    if (outcome.startsWith('WRONG')) wrong++;
    const number = reasons.get(outcome) ?? reasons.size + 1;
    reasons.set(outcome, number);
    return `(${number})`;
  }).join(' | ');
}
