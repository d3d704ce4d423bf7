// A million random and mutated payloads, frames and handshakes: `npx tsx test/faults/fuzz.ts
// --count 1000000 --seed 1`. Exits with 1 where one of them was not survived, or left something
// behind.

import { parseArgs } from 'node:util';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { fuzz } from './fuzz-run.js';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});

const stops: (() => unknown)[] = [];
const t = { teardown: (stop: () => unknown) => stops.push(stop) };
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

console.log(`seed ${values.seed}`);
try {
  const gateway = await startGateway(t, await startDatabase(t));
  const verdict = await fuzz(gateway, Number(values.count), Number(values.seed));
  await gateway.ready();
  console.log(
    `${values.count} were survived; the heap held ${mib(verdict.quarterBytes)} after a quarter of them and ${mib(verdict.endBytes)} after all`,
  );
  process.exitCode = verdict.grown ? 1 : 0;
} finally {
  for (const stop of stops.toReversed()) await stop();
}
