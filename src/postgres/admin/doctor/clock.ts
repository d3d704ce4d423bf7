// Compares the clocks of this machine and of the server: tokens, leases and latencies depend on
// them.

import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';

const TOLERATED_MS = 2_000;

/** Reports a difference of more than 2 seconds. */
export async function checkClock({ session, nowMs }: CheckContext): Promise<Finding[]> {
  const skewMs = await measureClockSkewMs(session, nowMs);
  if (Math.abs(skewMs) <= TOLERATED_MS) return [];
  const seconds = (Math.abs(skewMs) / 1_000).toFixed(1);
  return [
    {
      id: 'clock_skew',
      severity: 'warning',
      explanation: `The server's clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's: latencies, leases and the ages of tokens and backups are wrong by as much.`,
      remedy: 'Synchronize both clocks by NTP (timedatectl set-ntp true, or chrony).',
    },
  ];
}

/** Measures how far the server's clock is ahead, in ms, assuming equal times there and back. */
export async function measureClockSkewMs(
  session: CheckContext['session'],
  nowMs: () => number,
): Promise<number> {
  const askedMs = nowMs();
  const { ms } = takeOnlyRow(
    await session.query<{ ms: number }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
    ),
  );
  return ms - (askedMs + nowMs()) / 2;
}
