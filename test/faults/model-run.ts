// Runs of the model: random steps in random order, and after them everyone knows the table, which is what the steps made
// of it. One that fails is shrunk to the steps that matter, and told with what repeats it.

import fc from 'fast-check';
import type { TestDatabase } from '../helpers/database.js';
import { STEPS } from './model-steps.js';
import { beginning, ModelWorld, type TableModel } from './model-world.js';

const MOST_STEPS = 25;

export interface ModelOptions {
  readonly runs: number;
  readonly seed: number;
  /** Where to begin in the tree of histories, and which steps of it are taken: as a failure tells. */
  readonly path?: string | undefined;
  readonly replayPath?: string | undefined;
  /** No run begins later. */
  readonly limitMs?: number;
}

export interface ModelVerdict {
  readonly runs: number;
  /** Undefined where none failed. */
  readonly failure: string | undefined;
}

export async function runModel(
  database: TestDatabase,
  { runs, seed, path, replayPath, limitMs }: ModelOptions,
): Promise<ModelVerdict> {
  const histories = fc.commands(STEPS, {
    maxCommands: MOST_STEPS,
    // As long as that: by itself fast-check makes short ones.
    size: 'max',
    ...(replayPath === undefined ? {} : { replayPath }),
  });
  let last: Promise<unknown> = Promise.resolve();
  const property = fc.asyncProperty(histories, (steps) => {
    const run = runOnce(database, steps);
    last = run.catch(() => undefined);
    return run;
  });
  const details = await fc.check(property, {
    ...{ numRuns: runs, seed },
    ...(path === undefined ? {} : { path }),
    ...(limitMs === undefined ? {} : { interruptAfterTimeLimit: limitMs }),
  });
  // An interruption does not wait for the run under way.
  await last;
  return { runs: details.numRuns, failure: describe(details) };
}

async function runOnce(
  database: TestDatabase,
  steps: Iterable<fc.AsyncCommand<TableModel, ModelWorld>>,
): Promise<void> {
  const real = await ModelWorld.start(database);
  const model = beginning();
  try {
    await fc.asyncModelRun(() => ({ model, real }), steps);
    await real.settle(model);
    await real.judge(model);
  } finally {
    await real.end();
  }
}

function describe(
  details: fc.RunDetails<[Iterable<fc.AsyncCommand<TableModel, ModelWorld>>]>,
): string | undefined {
  const { counterexample, counterexamplePath, errorInstance, seed, numShrinks } = details;
  if (!details.failed || counterexample === null) return undefined;
  const steps = fc.stringify(counterexample[0]);
  const replayPath = /replayPath="([^"]*)"/.exec(steps)?.[1] ?? '';
  return [
    `${String(errorInstance)}, after ${numShrinks} times shrunk to: ${steps}`,
    `again: npm run model -- --seed ${seed} --path '${counterexamplePath}' --replay '${replayPath}'`,
  ].join('\n');
}
