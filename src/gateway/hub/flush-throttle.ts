// The timer of the hot path: when the hub flushes. There is one, whatever the number of sockets.

/**
 * Paces flushes: the first request after a quiet moment is served at the end of the current turn, the next ones
 * together after a fixed gap. So a lone change leaves at once, and a burst costs one frame a gap.
 * @returns the function that requests a flush.
 */
export function throttleFlushes(flush: () => void, gapMs: number): () => void {
  let gap: NodeJS.Timeout | undefined;
  let requested = false;
  const run = (): void => {
    requested = false;
    gap = setTimeout(() => {
      gap = undefined;
      if (requested) run();
    }, gapMs);
    flush();
  };
  return () => {
    if (requested) return;
    requested = true;
    // A microtask: notifications that arrived in one packet are handled before it.
    if (gap === undefined) queueMicrotask(run);
  };
}
