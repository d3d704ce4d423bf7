// The lifecycle of `serve`: it ends on a signal or a fatal failure. The parts are then stopped in
// reverse order, within a limit; a second signal ends the process at once.

import closeWithGrace from 'close-with-grace';
import { ExitCode, selectExitCode, explainError } from './exit.js';
import type { ProcessLog } from './logger.js';

/** How long the shutdown may take after the drain; then the process ends with exit code 1. */
const END_TIMEOUT_MS = 5_000;

/** The end of the process, as its parts see it. */
export interface Lifecycle {
  /** Aborted when the shutdown begins. */
  readonly ending: AbortSignal;
  /** Registers a step of the shutdown, which runs before the steps registered earlier. */
  readonly onEnd: (stop: () => Promise<void>) => void;
  /** Reports the failure, and ends the process with its exit code. */
  readonly fail: (error: unknown) => void;
}

/** Handles signals from now on. @param drainMs how long sessions may take to drain. */
export function startLifecycle({ log, print }: ProcessLog, drainMs: number): Lifecycle {
  const controller = new AbortController();
  const stops: (() => Promise<void>)[] = [];
  let failure: unknown;
  const grace = closeWithGrace(
    { delay: drainMs + END_TIMEOUT_MS, logger: false },
    async ({ err, signal }) => {
      if (err !== undefined) log.fatal({ err }, 'the gateway failed');
      else if (failure === undefined) log.info({ signal }, 'stopping');
      else print(`${explainError(failure)}\n`);
      controller.abort();
      // A failed step must not skip the next ones, such as stopping the database.
      for (const stop of stops.reverse())
        await stop().catch((error: unknown) => {
          log.error({ err: error }, 'a step of the shutdown failed');
          failure ??= error;
        });
      failure ??= err;
      process.exit(failure === undefined ? ExitCode.ok : selectExitCode(failure));
    },
  );
  return {
    ending: controller.signal,
    onEnd: (stop) => void stops.push(stop),
    fail: (error) => {
      failure ??= error;
      grace.close();
    },
  };
}
