// Hostile HTTP/1.1 for ten minutes: `npm run fuzz:http -- 600 --seed 1`, the first argument in
// seconds. Exits with 1 if a smuggled request was answered, too much was unread, or anything was
// left open.

import { parseArgs } from 'node:util';
import { attackFraming } from './framing-run.js';
import type { Holdings } from './inspected-process.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: String(Date.now() % 2 ** 31) } },
});
const seconds = Number(positionals[0] ?? 600);

const stops: (() => unknown)[] = [];
const t = { teardown: (stop: () => unknown) => stops.push(stop) };
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const describe = ({ heapBytes, descriptors, sockets, files }: Holdings): string =>
  `heap ${mib(heapBytes)}, ${descriptors} descriptors: ${sockets} sockets, ${files.length} files ${files.slice(0, 3).join(' ')}`;

console.log(`seed ${values.seed}, ${seconds} s`);
try {
  let endMs = Infinity;
  const result = await attackFraming(t, Number(values.seed), (attacks) => {
    if (attacks === 0) endMs = performance.now() + seconds * 1_000;
    return performance.now() > endMs;
  });
  console.log(`${result.attacks} attacks; at most ${mib(result.unreadBytes)} were unread`);
  console.log(`begin: ${describe(result.before)}`);
  console.log(`end:   ${describe(result.after)}`);
  for (const fault of result.faults) console.log(`FAULT: ${fault}`);
  process.exitCode = result.faults.length > 0 ? 1 : 0;
} finally {
  for (const stop of stops.toReversed()) await stop();
}
