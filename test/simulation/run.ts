// Many histories, one after the other, until one fails; and what must have occurred in them.

import { runHistory, withSimulation, type HistoryId } from './history.js';
import { WEATHER_NAMES } from './steps.js';

export interface Range {
  readonly seed: number;
  readonly weather?: string | undefined;
  readonly from: number;
  readonly to: number;
  /** Every so many of the range, for processes that share it. */
  readonly every: number;
}

export interface Verdict {
  readonly histories: number;
  readonly events: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly failure: { readonly id: HistoryId; readonly message: string } | undefined;
}

/** How many histories run before other callbacks of this process do. */
const HISTORIES_AT_A_TIME = 50;

export async function runRange({ seed, weather, from, to, every }: Range): Promise<Verdict> {
  const counts = new Map<string, number>();
  let [histories, events] = [0, 0];
  let failure: Verdict['failure'];
  let next = from;
  const runSome = (): void => {
    for (
      let n = 0;
      n < HISTORIES_AT_A_TIME && next < to && failure === undefined;
      n++, next += every
    ) {
      const id = { seed, history: next, weather };
      const result = runHistory(id);
      histories++;
      events += result.events;
      addCounts(counts, result.counts);
      if (result.failure !== undefined) failure = { id, message: result.failure };
    }
  };
  while (next < to && failure === undefined) await runOutside(runSome);
  return { histories, events, counts, failure };
}

/** Runs `work` as a timer of the platform: virtual time is at a standstill inside of a promise. */
export function runOutside<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(withSimulation(work));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

/** Adds up the counts; what is the most of something stays the most. */
export function addCounts(sum: Map<string, number>, counts: ReadonlyMap<string, number>): void {
  for (const [what, count] of counts) {
    const before = sum.get(what) ?? 0;
    sum.set(what, what.startsWith('most: ') ? Math.max(before, count) : before + count);
  }
}

/** What must have occurred in many histories, or they have shown nothing about it. */
export const MUST_OCCUR: readonly string[] = [
  ...WEATHER_NAMES.map((name) => `weather: ${name}`),
  'weather: assignments stood before the installation',
  ...['applied', 'repeat', 'stale', 'unproven', 'invalidation'].map(
    (outcome) => `notification: ${outcome}`,
  ),
  ...['start', 'reconnect', 'stale', 'check', 'triggers', 'routine'].map(
    (reason) => `read: ${reason}`,
  ),
  ...['lost', 'unanswered', 'failed'].map((reason) => `heartbeat: ${reason}`),
  'state: versions crossed',
  'state: tombstone used',
  'state: notification contradicted',
  'state: servers split',
  'state: a row could not be read',
  'state: a hostname was set aside',
  'state: lease lost',
  'state: a statement waited for a lock',
  'state: not ready behind an obstacle',
  'state: a live fleet was compared',
  'state: a client lagged',
  'state: a cursor was resumed',
  'state: a command ran',
];

/** Returns what never occurred. */
export function findMissing(counts: ReadonlyMap<string, number>): string[] {
  return MUST_OCCUR.filter((what) => (counts.get(what) ?? 0) === 0);
}
