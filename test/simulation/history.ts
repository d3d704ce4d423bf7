// A history: a world, its steps, and the verdict. A history is a function of the seed, its
// number, the weather, and the steps that are kept.

import { Violation } from './ledger.js';
import { Random } from './random.js';
import { SimulatedClient, SimulatedSocket } from './pg-client.js';
import { drawSteps, perform, type Step } from './steps.js';
import { enter, runInVirtualTime } from './virtual-time.js';
import { World, type WorldOptions } from './world.js';

export interface HistoryId {
  readonly seed: number;
  readonly history: number;
  /** The only weather; by default any. */
  readonly weather?: string | undefined;
}

export interface HistoryResult {
  /** Why it failed; undefined if every invariant held. */
  readonly failure: string | undefined;
  readonly counts: ReadonlyMap<string, number>;
  readonly trace: readonly string[];
  /** How many timers ran. */
  readonly events: number;
}

/**
 * How long everything goes on after the last step, before the weathers end. Sometimes it is longer
 * than a gateway may take to notice a weather.
 */
const AFTER_MS = 1_000;
const LONG_AFTER_MS = 40_000;

/** Draws the steps and the world of a history. */
export function drawHistory({ seed, history, weather }: HistoryId): {
  steps: Step[];
  options: Omit<WorldOptions, 'traced'>;
  afterMs: number;
} {
  const random = Random.from(seed, history);
  const options = {
    gateways: random.once(3) ? 2 : 1,
    agents: 1 + random.below(3) + (random.once(8) ? 1 : 0),
    dashboards: random.once(4) ? 0 : 1,
    present: random.below(5),
    failVmOnError: random.once(4),
    adopted: random.once(10),
  };
  const steps = drawSteps(random, weather);
  return { steps, options, afterMs: random.once(8) ? LONG_AFTER_MS : AFTER_MS };
}

/**
 * Runs a history; virtual time must be in force (see `withSimulation`).
 * @param kept the numbers of the steps to take; by default all
 */
export function runHistory(id: HistoryId, traced = false, kept?: readonly number[]): HistoryResult {
  const { steps, options, afterMs } = drawHistory(id);
  const world = new World(Random.from(id.seed, -1 - id.history), { ...options, traced });
  enter(world.time);
  const failure = tryTo(() => {
    if (options.adopted) world.ledger.count('weather: assignments stood before the installation');
    world.start();
    steps.forEach((step, n) => {
      if (kept?.includes(n) === false) return;
      world.time.runUntil(step.atMs);
      perform(world, step);
      world.check();
    });
    world.time.runUntil(world.time.nowMs + afterMs);
    world.settle();
  });
  const { counts, trace = [] } = world.ledger;
  return { failure, counts, trace, events: world.time.events };
}

function tryTo(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.message;
    return error instanceof Error ? `an exception: ${error.stack ?? error.message}` : String(error);
  }
}

/** Runs `work` with virtual time, and the modelled database and sockets below pg. */
export function withSimulation<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  // Errors of the modelled database are many, and their stacks are not read.
  Error.stackTraceLimit = 0;
  try {
    return runInVirtualTime(MODULES, work);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

const MODULES = {
  pg: { Client: SimulatedClient },
  'node:net': { Socket: SimulatedSocket },
};

/**
 * Leaves out steps for as long as the history fails in the same way.
 * @returns the numbers of the steps that are left
 */
export function shrink(id: HistoryId, failure: string): number[] {
  const kind = (text: string | undefined): string => text?.split(':')[0] ?? '';
  let kept = drawHistory(id).steps.map((_, n) => n);
  for (
    let size = Math.ceil(kept.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < kept.length;) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (kind(runHistory(id, false, fewer).failure) === kind(failure)) kept = fewer;
      else at += size;
    }
  }
  return kept;
}
