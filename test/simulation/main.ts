// Runs histories of the simulation on all cores, or repeats one.
//
//   npm run simulate -- --histories 1000000 --seed 1
//   npm run simulate -- --seed 1 --history 4711 --trace

import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawHistory, runHistory, shrink, type HistoryId } from './history.js';
import { addCounts, findMissing, runOutside, runRange, type Range, type Verdict } from './run.js';

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    weather: { type: 'string' },
    history: { type: 'string' },
    keep: { type: 'string' },
    trace: { type: 'boolean', default: false },
    processes: { type: 'string', default: String(availableParallelism()) },
    worker: { type: 'string' },
  },
});
const seed = Number(values.seed);
const { weather } = values;

if (values.worker !== undefined) await serveParent(JSON.parse(values.worker) as Range);
else if (values.history !== undefined)
  await repeat({ seed, weather, history: Number(values.history) });
else await runAll();

interface Sent {
  readonly verdict: Omit<Verdict, 'counts'>;
  readonly counts: readonly (readonly [string, number])[];
}

async function serveParent(range: Range): Promise<void> {
  const { counts, ...verdict } = await runRange(range);
  const sent: Sent = { verdict, counts: [...counts] };
  process.send?.(sent);
}

function runProcess(range: Range): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--worker', JSON.stringify(range)], {
      // Short-lived objects are many.
      execArgv: [...process.execArgv, '--max-semi-space-size=64'],
    });
    child.once('message', (sent: Sent) => resolve(sent));
    child.once('exit', (code) => reject(new Error(`a process ended with ${code ?? 'a signal'}`)));
  });
}

async function runAll(): Promise<void> {
  const total = Number(values.histories);
  const every = Number(values.processes);
  const beganMs = performance.now();
  const ranges = Array.from({ length: every }, (_, from) => ({
    seed,
    weather,
    from,
    to: total,
    every,
  }));
  const all = await Promise.all(ranges.map(runProcess));
  const counts = new Map<string, number>();
  for (const one of all) addCounts(counts, new Map(one.counts));
  const histories = all.reduce((sum, { verdict }) => sum + verdict.histories, 0);
  const seconds = (performance.now() - beganMs) / 1_000;
  for (const [what, count] of [...counts].sort())
    console.log(`${String(count).padStart(9)} ${what}`);
  console.log(
    `${histories} histories in ${seconds.toFixed(0)} s, ${Math.round((histories / seconds) * 3_600)} an hour; seed ${seed}`,
  );
  const failures = all.flatMap(({ verdict }) => verdict.failure ?? []);
  const [first] = failures.sort((a, b) => a.id.history - b.id.history);
  if (first !== undefined) await explain(first.id, first.message);
  else if (weather === undefined) reportMissing(counts);
}

function reportMissing(counts: ReadonlyMap<string, number>): void {
  const missing = findMissing(counts);
  if (missing.length === 0) return;
  console.log(`never occurred: ${missing.join('; ')}`);
  process.exitCode = 1;
}

/** Prints the smallest history that fails in the same way, and how to repeat it. */
async function explain(id: HistoryId, message: string): Promise<void> {
  process.exitCode = 1;
  const kept = await runOutside(() => shrink(id, message));
  const { steps, options } = drawHistory(id);
  console.log(`history ${id.history} fails: ${message}`);
  console.log(JSON.stringify(options));
  for (const n of kept) {
    const { atMs = 0, name = '', dice = [] } = steps[n] ?? {};
    console.log(
      `  ${n}: at ${atMs.toFixed(1)} ms ${name} (${dice.map((die) => die.toFixed(2)).join(' ')})`,
    );
  }
  const only = id.weather === undefined ? '' : ` --weather '${id.weather}'`;
  console.log(
    `again: npm run simulate -- --seed ${id.seed} --history ${id.history}${only} --keep ${kept.join(',')} --trace`,
  );
}

async function repeat(id: HistoryId): Promise<void> {
  const kept = values.keep?.split(',').map(Number);
  const { failure, trace } = await runOutside(() => runHistory(id, values.trace, kept));
  for (const line of trace) console.log(line);
  console.log(failure ?? 'nothing failed');
  if (failure === undefined) return;
  if (kept === undefined) await explain(id, failure);
  process.exitCode = 1;
}
