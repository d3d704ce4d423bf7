// The faults that a load test injects, and when: `kill-listener@5s,stall-dashboards=2@8s`.

import { parseDurationMs, type DurationFormat } from '../time/duration.js';

/** Durations and times of a load test: `50ms`, `1.5s`, `2m`, up to a week. */
export const LOAD_DURATION: DurationFormat = {
  units: ['ms', 's', 'm'],
  minMs: 0,
  maxMs: 7 * 86_400_000,
  decimals: true,
};

export type Fault =
  /** The database terminates the gateway's LISTEN session. */
  | { readonly kind: 'kill-listener' }
  /** The gateway shuts down gracefully, and starts again. */
  | { readonly kind: 'restart-gateway' }
  /** The gateway is killed, and starts again. */
  | { readonly kind: 'kill-gateway' }
  /** All clients lose their sockets, and reconnect at once. */
  | { readonly kind: 'drop-sockets' }
  /** This many dashboards read nothing until the load ends. */
  | { readonly kind: 'stall-dashboards'; readonly count: number };

export type FaultKind = Fault['kind'];

export interface ScheduledFault {
  /** After the start of the load. */
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

/** Faults that need a local target: the load test cannot restart a remote gateway. */
export const LOCAL_TARGET_FAULTS: readonly FaultKind[] = ['restart-gateway', 'kill-gateway'];

/**
 * Parses a schedule, and sorts it by time.
 * @throws RangeError if the schedule is invalid; the message says why.
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
  if (kind === undefined || atMs === undefined) throw createParseError(text);
  if (kind === 'stall-dashboards') return { atMs, fault: { kind, count: Number(count ?? 1) } };
  if (count !== undefined) throw createParseError(text);
  return { atMs, fault: { kind } };
}

function createParseError(text: string): RangeError {
  return new RangeError(
    `"${text}" is not a fault. Expected ${FAULT_KINDS.join(', ')} with a time, ` +
      'as in kill-listener@5s,stall-dashboards=2@8s.',
  );
}

/** Formats a fault as in a schedule. */
export function formatFault({ atMs, fault }: ScheduledFault): string {
  const count = fault.kind === 'stall-dashboards' ? `=${fault.count}` : '';
  return `${fault.kind}${count}@${atMs / 1e3}s`;
}
