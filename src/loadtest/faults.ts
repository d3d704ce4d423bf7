// What is made to go wrong during a load test, and when: `kill-listener@5s,stall-dashboards=2@8s`.

import { parseDurationMs, type DurationFormat } from '../time/duration.js';

/** Durations of a load test, and moments in it: `50ms`, `1.5s`, `2m`, up to a week. */
export const LOAD_DURATION: DurationFormat = {
  units: ['ms', 's', 'm'],
  minMs: 0,
  maxMs: 7 * 86_400_000,
  decimals: true,
};

export type Fault =
  /** The gateway's LISTEN session is ended in the database. */
  | { readonly kind: 'kill-listener' }
  /** The gateway is ended in order, and started again. */
  | { readonly kind: 'restart-gateway' }
  /** The gateway is killed, and started again. */
  | { readonly kind: 'kill-gateway' }
  /** All clients lose their sockets, and come back at once. */
  | { readonly kind: 'drop-sockets' }
  /** So many dashboards read nothing until the load ends. */
  | { readonly kind: 'stall-dashboards'; readonly count: number };

export type FaultKind = Fault['kind'];

export interface ScheduledFault {
  /** From the beginning of the load. */
  readonly atMs: number;
  readonly fault: Fault;
}

export const FAULT_KINDS: readonly FaultKind[] = [
  'kill-listener',
  'restart-gateway',
  'kill-gateway',
  'drop-sockets',
  'stall-dashboards',
];

/** Those that need a gateway of the load test's own. */
export const OF_OWN_GATEWAY: readonly FaultKind[] = ['restart-gateway', 'kill-gateway'];

/**
 * Reads a schedule, in the order of time.
 * @throws RangeError that says what is wrong with it.
 */
export function parseFaults(text: string): ScheduledFault[] {
  return text
    .split(',')
    .map(parseFault)
    .toSorted((a, b) => a.atMs - b.atMs);
}

function parseFault(text: string): ScheduledFault {
  const [, name, count, at = ''] = /^([a-z-]+)(?:=([1-9]\d{0,5}))?@([\w.]+)$/.exec(text) ?? [];
  const kind = FAULT_KINDS.find((known) => known === name);
  const atMs = parseDurationMs(at, LOAD_DURATION);
  if (kind === undefined || atMs === undefined) throw unreadable(text);
  if (kind === 'stall-dashboards') return { atMs, fault: { kind, count: Number(count ?? 1) } };
  if (count !== undefined) throw unreadable(text);
  return { atMs, fault: { kind } };
}

function unreadable(text: string): RangeError {
  return new RangeError(
    `No fault is called "${text}". Expected ${FAULT_KINDS.join(', ')} with a moment, ` +
      'as in kill-listener@5s,stall-dashboards=2@8s.',
  );
}

/** As it is written in a schedule. */
export function faultText({ atMs, fault }: ScheduledFault): string {
  const count = fault.kind === 'stall-dashboards' ? `=${fault.count}` : '';
  return `${fault.kind}${count}@${atMs / 1e3}s`;
}
