// Runs of the model: random steps in random order. After them every client knows the table, which
// is the result of the steps. A run that fails is shrunk to the steps that matter, and reported
// with the arguments that repeat it.

import fc from 'fast-check';
import type { TestDatabase, TestServer } from '../helpers/database.js';
import { STEPS } from './model-steps.js';
import { beginning, ModelWorld, type TableModel } from './model-world.js';

const MOST_STEPS = 25;

export interface ModelOptions {
  readonly runs: number;
  readonly seed: number;
  /**
   * The place in the tree of histories to begin at, and the steps to take from there: a failure
   * prints both.
   */
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

/** So many at a time, each in a world of its own: mostly they wait. */
const LANES = 16;

/** A server for them all: each world has a dozen sessions. */
export const MODEL_SERVER = { settings: { max_connections: '400' } };

/** A failure is repeated in one lane. */
export async function runModel(server: TestServer, options: ModelOptions): Promise<ModelVerdict> {
  const count = options.path === undefined ? Math.min(LANES, options.runs) : 1;
  const lanes = Array.from({ length: count }, async (_, n) => {
    const runs = Math.ceil(options.runs / count);
    const lane = new Lane(await server.createDatabase());
    return lane.run({ ...options, runs, seed: options.seed + n });
  });
  const verdicts = await Promise.all(lanes);
  return {
    runs: verdicts.reduce((sum, { runs }) => sum + runs, 0),
    failure: verdicts.find(({ failure }) => failure !== undefined)?.failure,
  };
}

type Steps = Iterable<fc.AsyncCommand<TableModel, ModelWorld>>;

class Lane {
  #world: ModelWorld | undefined;

  constructor(private readonly database: TestDatabase) {}

  async run({ runs, seed, path, replayPath, limitMs }: ModelOptions): Promise<ModelVerdict> {
    const histories = fc.commands(STEPS, {
      maxCommands: MOST_STEPS,
      // As long as that: by itself fast-check makes short ones.
      size: 'max',
      ...(replayPath === undefined ? {} : { replayPath }),
    });
    let last: Promise<unknown> = Promise.resolve();
    const property = fc.asyncProperty(histories, (steps) => {
      const run = this.#runOnce(steps);
      last = run.catch(() => undefined);
      return run;
    });
    const details = await fc.check<[Steps]>(property, {
      ...{ numRuns: runs, seed },
      ...(path === undefined ? {} : { path }),
      ...(limitMs === undefined ? {} : { plugins: [fc.interruptAfterTimeLimit(limitMs)] }),
    });
    // An interruption does not wait for the run under way.
    await last;
    await this.#endWorld();
    return { runs: details.numRuns, failure: describe(details) };
  }

  /** A run that fails leaves nothing to others. */
  async #runOnce(steps: Steps): Promise<void> {
    try {
      const real = (this.#world ??= await ModelWorld.start(this.database));
      const model = beginning();
      await real.begin();
      await fc.asyncModelRun(() => ({ model, real }), steps);
      await real.settle(model);
      await real.judge(model);
    } catch (error) {
      await this.#endWorld();
      throw error;
    }
  }

  async #endWorld(): Promise<void> {
    const world = this.#world;
    this.#world = undefined;
    await world?.end();
  }
}

function describe(details: fc.RunDetails<[Steps]>): string | undefined {
  const { counterexample, counterexamplePath, errorInstance, seed, numShrinks } = details;
  if (!details.failed || counterexample === null) return undefined;
  const steps = fc.stringify(counterexample[0]);
  const replayPath = /replayPath="([^"]*)"/.exec(steps)?.[1] ?? '';
  return [
    `${String(errorInstance)}, after ${numShrinks} times shrunk to: ${steps}`,
    `again: npm run model -- --seed ${seed} --path '${counterexamplePath}' --replay '${replayPath}'`,
  ].join('\n');
}
