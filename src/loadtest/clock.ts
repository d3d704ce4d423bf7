// The clock of a load test: all processes of the machine read the same time from it.

/** Microseconds of the monotonic clock (`process.hrtime` reads CLOCK_MONOTONIC on Linux). */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}
