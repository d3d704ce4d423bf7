// The labels of an assignment's delivery. Each state has one word everywhere; how far a waiting
// assignment has come is a matter for the drawer.

import type { Delivery } from '../../client/index.js';
import { formatAge, formatDuration, parseTime } from './time.js';
import type { VmRecord } from './vm-record.js';

export interface DeliveryLabel {
  readonly text: string;
  /** A duration with its unit, which is never cut off; empty if there is none. */
  readonly figure: string;
}

/** Describes the delivery for a table cell; empty if there is no assignment. */
export function labelDelivery(record: VmRecord, nowMs: number): DeliveryLabel {
  const { delivery, waiting, waitingSinceMs } = record;
  switch (record.stage) {
    case 'none':
      return { text: '', figure: '' };
    case 'made':
    case 'pushed': {
      if (!waiting) return { text: 'Not delivered', figure: '' };
      const age = waitingSinceMs === undefined ? 'now' : formatAge(waitingSinceMs, nowMs);
      return { text: 'Waiting', figure: age === 'now' ? '' : age };
    }
    case 'acknowledged': {
      const tookMs = computeAckLatencyMs(delivery);
      return { text: 'Acknowledged', figure: tookMs === undefined ? '' : formatDuration(tookMs) };
    }
    case 'ended':
      return { text: delivery === undefined ? 'Ended' : formatOutcome(delivery), figure: '' };
  }
}

/** Describes how far the assignment has come, as a sentence; empty if there is none. */
export function explainStage({ stage, waiting, delivery }: VmRecord): string {
  switch (stage) {
    case 'made':
      return 'Not sent to the agent.';
    case 'pushed':
      return waiting
        ? 'Sent to the agent, which has not acknowledged it.'
        : 'Sent to the agent, which never acknowledged it.';
    case 'acknowledged':
      return 'The agent has it; its end is not reported.';
    case 'ended':
      return delivery?.outcome === 'interrupted'
        ? 'The command was cut off, and how far it came is unknown.'
        : '';
    case 'none':
      return '';
  }
}

const OUTCOMES: Readonly<Record<string, string>> = {
  succeeded: 'Succeeded',
  failed: 'Command failed',
  stopped: 'Stopped',
  interrupted: 'Command cut off',
};

/** Formats how a command ended: `Command failed, exit code 7`. */
export function formatOutcome({
  outcome,
  exit_code: code,
}: Pick<Delivery, 'outcome' | 'exit_code'>): string {
  const text = outcome === null ? 'Ended' : (OUTCOMES[outcome] ?? outcome);
  return `${text}${code === null || code === 0 ? '' : `, exit code ${code}`}`;
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
