// The labels of an assignment's delivery: how far it has come.

import { formatOutcome } from './activity.js';
import type { Delivery } from '../../client/index.js';
import { formatAge, formatDuration, parseTime } from './time.js';
import type { VmRecord } from './vm-record.js';

/** Formats the delivery for a table cell; empty if there is no assignment. */
export function formatDelivery(record: VmRecord, nowMs: number): string {
  const { delivery } = record;
  const madeMs = parseTime(delivery?.made_at);
  switch (record.stage) {
    case 'none':
      return '';
    case 'made':
      return madeMs === undefined ? 'not delivered' : `made ${formatPast(madeMs, nowMs)}`;
    case 'pushed': {
      const pushedMs = parseTime(delivery?.pushed_at);
      return pushedMs === undefined ? 'pushed' : `pushed ${formatPast(pushedMs, nowMs)}`;
    }
    case 'acknowledged': {
      const tookMs = computeAckLatencyMs(delivery);
      return tookMs === undefined ? 'acknowledged' : `acknowledged in ${formatDuration(tookMs)}`;
    }
    case 'ended':
      return delivery === undefined ? 'ended' : formatOutcome(delivery);
  }
}

/**
 * Computes the time from the commit of an assignment to the agent's acknowledgement, in ms;
 * undefined if it is not acknowledged.
 */
export function computeAckLatencyMs(
  delivery: Pick<Delivery, 'made_at' | 'acked_at'> | undefined,
): number | undefined {
  const madeMs = parseTime(delivery?.made_at);
  const ackedMs = parseTime(delivery?.acked_at);
  return madeMs === undefined || ackedMs === undefined ? undefined : ackedMs - madeMs;
}

function formatPast(timeMs: number, nowMs: number): string {
  const text = formatAge(timeMs, nowMs);
  return text === 'now' ? text : `${text} ago`;
}
