// How long `serve` lives: until a signal, or a failure that nobody can mend. Then what was started is stopped, the
// latest first, within a limit; a second signal ends the process at once.

import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { ExitCode, selectExitCode, explainError } from './exit.js';

/** How long an orderly end may take after the drain; then the process ends anyway, with exit code 1. */
const END_TIMEOUT_MS = 5_000;

export interface Lifecycle {
  /** Aborted when the end has begun. */
  readonly ending: AbortSignal;
  /** To be done at the end, before what was given earlier. */
  readonly onEnd: (stop: () => Promise<void>) => void;
  /** Says what failed, and ends the process with its exit code. */
  readonly fail: (error: unknown) => void;
}

export function startLifecycle(log: Logger, drainMs: number): Lifecycle {
  const controller = new AbortController();
  const stops: (() => Promise<void>)[] = [];
  let failure: unknown;
  const grace = closeWithGrace(
    { delay: drainMs + END_TIMEOUT_MS, logger: false },
    async ({ err, signal }) => {
      if (err !== undefined) log.fatal({ err }, 'the gateway failed');
      else if (failure === undefined) log.info({ signal }, 'stopping');
      else process.stderr.write(`${explainError(failure)}\n`);
      controller.abort();
      // Whatever fails in one stop, the next ones are still to be done: a database among them.
      for (const stop of stops.reverse())
        await stop().catch((error: unknown) => {
          log.error({ err: error }, 'an end that failed');
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
