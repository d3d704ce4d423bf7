// What a load test does: who watches, what changes, what goes wrong when, and what would be too much. Profiles are plans
// by name, any part of which may be said otherwise.

import { parseFaults, type ScheduledFault } from './faults.js';

export interface Plan {
  readonly agents: number;
  readonly dashboards: number;
  /** How many rows there are. The first have an agent each. */
  readonly vms: number;
  /** Changed rows a second. */
  readonly rate: number;
  /** Rows that one UPDATE changes. */
  readonly batch: number;
  readonly durationMs: number;
  /** How long all may take to be connected, and in the end to be told all there is to tell. */
  readonly settleMs: number;
  /** Clients that begin to connect, a second; Infinity: at once. */
  readonly connectRate: number;
  readonly faults: readonly ScheduledFault[];
  readonly thresholds: Thresholds;
}

/** What is too much. Whatever is duplicated or out of order always is. */
export interface Thresholds {
  /** The 99th percentile of the latencies of agents, and of dashboards; undefined: any. */
  readonly maxP99Ms: number | undefined;
  readonly maxLost: number;
}

export const DEFAULTS: Plan = {
  agents: 100,
  dashboards: 5,
  vms: 100,
  rate: 100,
  batch: 1,
  durationMs: 10_000,
  connectRate: 1_000,
  settleMs: 60_000,
  faults: [],
  thresholds: { maxP99Ms: undefined, maxLost: 0 },
};

export interface Profile {
  /** For whoever chooses one. */
  readonly about: string;
  readonly plan: Partial<Plan>;
}

export const PROFILES: Readonly<Record<string, Profile>> = {
  workshop: {
    about: '150 VMs; everyone comes within a minute, fifteen changes each',
    plan: { agents: 150, dashboards: 5, vms: 150, rate: 37.5, durationMs: 60_000 },
  },
  campus: {
    about: '10,000 VMs, 100 dashboards',
    plan: { agents: 10_000, dashboards: 100, vms: 10_000, rate: 200, durationMs: 30_000 },
  },
  storm: {
    about: '10,000 agents lose their sockets and come back at once',
    plan: {
      ...{ agents: 10_000, dashboards: 5, vms: 10_000, rate: 50, durationMs: 20_000 },
      faults: parseFaults('drop-sockets@5s'),
    },
  },
  burst: {
    about: 'every one of 10,000 rows changed by one UPDATE, every 2 seconds',
    plan: {
      ...{ agents: 300, dashboards: 20, vms: 10_000, batch: 10_000 },
      ...{ rate: 5_000, durationMs: 10_000 },
    },
  },
};
