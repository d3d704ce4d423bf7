// The scenarios: how many clients watch, how many rows there are, what changes or goes wrong, and
// which contenders are compared.

/** `attacked` and `stalled` are the gateway too, while others mean it harm, or read badly. */
export type Contender = 'floor' | 'naive' | 'gateway' | 'attacked' | 'stalled';

export interface Scenario {
  readonly name: string;
  readonly agents: number;
  readonly dashboards: number;
  readonly rows: number;
  readonly load: Load;
  readonly contenders: readonly Contender[];
  /** Passes of each contender, in turn there and back. */
  readonly rounds: number;
  /** Run only by name. */
  readonly onDemand?: true;
}

/** Random rows at a fixed pace, so many to an UPDATE. */
export interface Pace {
  readonly perSecond: number;
  readonly batch: number;
  readonly durationMs: number;
}

export type Load =
  /** No row changes: what does a waiting socket cost? */
  | { readonly kind: 'none' }
  | ({ readonly kind: 'pace' } & Pace)
  /** The same, while clients read badly: all but the plain gateway have them. */
  | ({ readonly kind: 'stall' } & Pace)
  /** All rows in one UPDATE, so many times. */
  | { readonly kind: 'bursts'; readonly count: number }
  /** The LISTEN session is ended, and kept away while so many rows change. */
  | { readonly kind: 'gap'; readonly changes: number; readonly count: number }
  /** Everyone loses the socket and comes back at once, so many times. */
  | { readonly kind: 'storm'; readonly count: number };

export const SCENARIOS: readonly Scenario[] = [
  {
    ...{ name: 'steady', agents: 300, dashboards: 20, rows: 300, rounds: 2 },
    load: { kind: 'pace', perSecond: 500, batch: 1, durationMs: 10_000 },
    contenders: ['floor', 'naive', 'gateway'],
  },
  {
    ...{ name: 'heavy', agents: 300, dashboards: 100, rows: 300, rounds: 2 },
    load: { kind: 'pace', perSecond: 1_500, batch: 1, durationMs: 3_000 },
    contenders: ['floor', 'naive', 'gateway'],
  },
  {
    ...{ name: 'burst', agents: 300, dashboards: 20, rows: 10_000, rounds: 1 },
    load: { kind: 'bursts', count: 5 },
    contenders: ['floor', 'naive', 'gateway'],
  },
  {
    ...{ name: 'gap', agents: 300, dashboards: 20, rows: 300, rounds: 1 },
    load: { kind: 'gap', changes: 300, count: 3 },
    contenders: ['naive', 'gateway'],
  },
  {
    ...{ name: 'stall', agents: 300, dashboards: 5, rows: 10_000, rounds: 1 },
    load: { kind: 'stall', perSecond: 10_000, batch: 100, durationMs: 30_000 },
    contenders: ['naive', 'gateway', 'stalled'],
  },
  {
    ...{ name: 'idle', agents: 5_000, dashboards: 20, rows: 5_000, rounds: 1 },
    load: { kind: 'none' },
    contenders: ['naive', 'gateway'],
  },
  {
    ...{ name: 'storm', agents: 10_000, dashboards: 20, rows: 10_000, rounds: 1 },
    load: { kind: 'storm', count: 2 },
    contenders: ['naive', 'gateway'],
  },
  {
    ...{ name: 'scale', agents: 17_980, dashboards: 20, rows: 17_980, rounds: 1 },
    load: { kind: 'pace', perSecond: 500, batch: 1, durationMs: 5_000 },
    contenders: ['gateway'],
  },
  {
    ...{ name: 'attack', agents: 300, dashboards: 20, rows: 300, rounds: 4 },
    load: { kind: 'pace', perSecond: 500, batch: 1, durationMs: 4_000 },
    contenders: ['gateway', 'attacked'],
    onDemand: true,
  },
];

/** In words, for the table's heading. */
export function describe({ agents, dashboards, rows, load, rounds }: Scenario): string {
  return `${agents} agents, ${dashboards} dashboards, ${describeLoad(load, rows, rounds)}`;
}

function describeLoad(load: Load, rows: number, rounds: number): string {
  switch (load.kind) {
    case 'none':
      return 'nothing changes';
    case 'pace':
    case 'stall': {
      const { perSecond, batch, durationMs } = load;
      const updates = batch === 1 ? '' : `, ${batch} to an UPDATE,`;
      return `${perSecond} changes/s${updates} for ${rounds} × ${durationMs / 1e3} s`;
    }
    case 'bursts':
      return `${rows} rows in one UPDATE, ${load.count} times`;
    case 'gap':
      return `${load.changes} rows changed while no gateway listens, ${load.count} times`;
    case 'storm':
      return `all lose their sockets and reconnect at once, ${load.count} times`;
  }
}
