// The one clock of a benchmark: every process on the machine reads the same moments from it.

/** Microseconds on the system's monotonic clock (`process.hrtime` reads CLOCK_MONOTONIC on Linux). */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}
