// What endangers the person who has a VM, or the next one: these VMs come first on the page, and
// each danger has a colour, a shape and a word.

import type { Delivery } from '../../client/index.js';

export type Danger = 'failed' | 'command-failed' | 'waiting' | 'away' | 'duplicate';

export const DANGER_LABELS: Readonly<Record<Danger, string>> = {
  failed: 'Failed',
  'command-failed': 'Command failed',
  waiting: 'Not delivered',
  away: 'In use, agent offline',
  duplicate: 'Two agents with this hostname',
};

/** The facts about a VM that decide its dangers. */
export interface DangerFacts {
  readonly status: string;
  readonly online: boolean;
  /** Whether agents with the hostname are connected to more than one gateway. */
  readonly duplicate: boolean;
  /** Whether the assignment has waited for its acknowledgement for longer than `LATE_MS`. */
  readonly late: boolean;
  readonly delivery: Delivery | undefined;
}

/** An assignment usually arrives within a second. After this time a person should look. */
export const LATE_MS = 10_000;

const NONE: readonly Danger[] = [];

/** Lists the dangers, the worst first; always the same array if there is none. */
export function listDangers(facts: DangerFacts): readonly Danger[] {
  const { status, online, duplicate, late, delivery } = facts;
  const dangers: Danger[] = [];
  if (status === 'failed') dangers.push('failed');
  if (status === 'in-use' && !online) dangers.push('away');
  if (late) dangers.push('waiting');
  if (status === 'in-use' && hasFailed(delivery)) dangers.push('command-failed');
  if (duplicate) dangers.push('duplicate');
  return dangers.length === 0 ? NONE : dangers;
}

/** Whether a command ended without success and not because the agent was asked to end it. */
export function hasFailed(delivery: Pick<Delivery, 'outcome'> | undefined): boolean {
  return delivery?.outcome === 'failed' || delivery?.outcome === 'interrupted';
}
