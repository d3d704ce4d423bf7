// Compares the coverage of the last test run with the minimum of each folder of src. The pure core
// needs 100 %, other folders 90 % of their lines. Exits with code 1 if a folder misses its minimum.

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const WHOLE = ['src/protocol/', 'src/gateway/fleet/', 'src/gateway/hub/'];
const ELSEWHERE = { lines: 90, branches: 0 };

const summary = JSON.parse(readFileSync('.tap/report/coverage-summary.json', 'utf8'));
const folders = new Map();
for (const [file, { lines, branches }] of Object.entries(summary)) {
  if (file === 'total') continue;
  const path = relative(process.cwd(), file);
  if (!path.startsWith('src/')) continue;
  const depth = path.startsWith('src/gateway/') || path.startsWith('src/postgres/') ? 3 : 2;
  const folder = `${path.split('/').slice(0, -1).slice(0, depth).join('/')}/`;
  const sums = folders.get(folder) ?? { lines: [0, 0], branches: [0, 0] };
  for (const [kind, { covered, total }] of Object.entries({ lines, branches })) {
    sums[kind][0] += covered;
    sums[kind][1] += total;
  }
  folders.set(folder, sums);
}

const percent = ([covered, total]) => (total === 0 ? 100 : (100 * covered) / total);
let short = folders.size === 0;
for (const [folder, sums] of [...folders].sort()) {
  const wanted = WHOLE.includes(folder) ? { lines: 100, branches: 100 } : ELSEWHERE;
  const lines = percent(sums.lines);
  const branches = percent(sums.branches);
  const enough = lines >= wanted.lines && branches >= wanted.branches;
  short ||= !enough;
  console.log(
    `${enough ? '      ' : 'SHORT '} ${folder.padEnd(24)} lines ${lines.toFixed(1)} %, branches ${branches.toFixed(1)} %`,
  );
}
if (short) console.log('Coverage is below the minimum in the folders marked SHORT.');
process.exitCode = short ? 1 : 0;
