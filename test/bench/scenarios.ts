// What is measured: how many watch, how many rows there are, what changes, and who is compared.

import { CONTENDERS, type Contender } from './servers.js';

export interface Scenario {
  readonly name: string;
  readonly agents: number;
  readonly dashboards: number;
  readonly rows: number;
  readonly load: Load;
  /** By default those that can do it of all but `attacked`. */
  readonly contenders?: readonly Contender[];
}

export type Load =
  /** Nobody changes anything: what does a socket cost that waits? */
  | { readonly kind: 'none' }
  /** Random rows at a fixed pace. Rounds go through the servers in turn, there and back. */
  | {
      readonly kind: 'pace';
      readonly perSecond: number;
      readonly durationMs: number;
      readonly rounds: number;
    }
  /** All rows in one UPDATE, so many times. */
  | { readonly kind: 'bursts'; readonly count: number };

export const SCENARIOS: readonly Scenario[] = [
  { name: 'idle', agents: 5_000, dashboards: 20, rows: 5_000, load: { kind: 'none' } },
  {
    ...{ name: 'push', agents: 5_000, dashboards: 20, rows: 5_000 },
    load: { kind: 'pace', perSecond: 200, durationMs: 6_000, rounds: 1 },
  },
  {
    ...{ name: 'steady', agents: 300, dashboards: 20, rows: 300 },
    load: { kind: 'pace', perSecond: 500, durationMs: 4_000, rounds: 2 },
  },
  {
    ...{ name: 'heavy', agents: 300, dashboards: 100, rows: 300 },
    load: { kind: 'pace', perSecond: 1_500, durationMs: 3_000, rounds: 2 },
  },
  {
    ...{ name: 'burst', agents: 300, dashboards: 20, rows: 10_000 },
    load: { kind: 'bursts', count: 5 },
  },
  {
    ...{ name: 'attack', agents: 300, dashboards: 20, rows: 300 },
    load: { kind: 'pace', perSecond: 500, durationMs: 4_000, rounds: 4 },
    contenders: ['gateway', 'attacked'],
  },
];

/** Who is measured; a socket that only waits has no floor. */
export function contendersOf({ contenders = CONTENDERS, load }: Scenario): readonly Contender[] {
  return contenders.filter((name) => name !== 'floor' || load.kind !== 'none');
}

/** In words, for the table's heading. */
export function describe({ agents, dashboards, rows, load }: Scenario): string {
  const watch = `${agents} agents, ${dashboards} dashboards`;
  if (load.kind === 'none') return watch;
  if (load.kind === 'bursts') return `${watch}, ${rows} rows in one UPDATE, ${load.count} times`;
  const { perSecond, durationMs, rounds } = load;
  return `${watch}, ${perSecond} changes/s for ${rounds} × ${durationMs / 1e3} s`;
}
