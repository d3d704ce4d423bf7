// How far the delivery of an assignment has come, in words.

import { formatOutcome } from './activity.js';
import type { Delivery } from '../../client/index.js';
import { formatAge, formatDuration, parseTime } from './time.js';
import type { VmRecord } from './vm-record.js';

/** Short enough for a cell; empty where there is no assignment. */
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

/** From the commit of the assignment to the agent's word that it has it. */
export function computeAckLatencyMs(
  delivery: Pick<Delivery, 'made_at' | 'acked_at'> | undefined,
): number | undefined {
  const [madeMs, ackedMs] = [parseTime(delivery?.made_at), parseTime(delivery?.acked_at)];
  return madeMs === undefined || ackedMs === undefined ? undefined : ackedMs - madeMs;
}

function formatPast(timeMs: number, nowMs: number): string {
  const text = formatAge(timeMs, nowMs);
  return text === 'now' ? text : `${text} ago`;
}
