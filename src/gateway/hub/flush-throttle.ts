// The timer of the hot path: it decides when the hub flushes. There is one for the whole gateway,
// whatever the number of sockets.

/**
 * Throttles flushes with a leading and a trailing edge. A request after a quiet interval is flushed
 * at the end of the current turn; later requests share one flush at the end of the interval. A
 * single change is therefore sent at once, and a burst costs one frame per interval.
 * @param intervalMs the shortest time between two flushes, in ms.
 * @returns the function that requests a flush.
 */
export function throttleFlushes(flush: () => void, intervalMs: number): () => void {
  let timer: NodeJS.Timeout | undefined;
  let requested = false;
  const run = (): void => {
    requested = false;
    timer = setTimeout(() => {
      timer = undefined;
      if (requested) run();
    }, intervalMs);
    flush();
  };
  return () => {
    if (requested) return;
    requested = true;
    // A microtask: notifications that arrived in the same packet are handled before it runs.
    if (timer === undefined) queueMicrotask(run);
  };
}
