// The plan of a load test: its clients, changes, faults and thresholds. A profile is a plan with a
// name; options override its parts.

import { parseFaults, type ScheduledFault } from './faults.js';

export interface Plan {
  readonly agents: number;
  readonly dashboards: number;
  /** How many rows there are. The first rows have an agent each. */
  readonly vms: number;
  /** Changed rows per second. */
  readonly rate: number;
  /** Rows that one UPDATE changes. */
  readonly batch: number;
  readonly durationMs: number;
  /** The time limit for connecting all clients, and for all to settle after the load. */
  readonly settleMs: number;
  /** Clients that begin to connect per second; Infinity for all at once. */
  readonly connectRate: number;
  readonly faults: readonly ScheduledFault[];
  readonly thresholds: Thresholds;
}

/** The limits for a pass. Any duplicated or out-of-order change fails the test. */
export interface Thresholds {
  /** For the 99th percentile of agents, and of dashboards; undefined for no limit. */
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
  /** For the help text. */
  readonly about: string;
  readonly plan: Partial<Plan>;
}

export const PROFILES: Readonly<Record<string, Profile>> = {
  workshop: {
    about: '150 VMs; all connect within a minute, fifteen changes each',
    plan: { agents: 150, dashboards: 5, vms: 150, rate: 37.5, durationMs: 60_000 },
  },
  campus: {
    about: '10,000 VMs, 100 dashboards',
    plan: { agents: 10_000, dashboards: 100, vms: 10_000, rate: 200, durationMs: 30_000 },
  },
  storm: {
    about: '10,000 agents lose their sockets and reconnect at once',
    plan: {
      agents: 10_000,
      dashboards: 5,
      vms: 10_000,
      rate: 50,
      durationMs: 20_000,
      faults: parseFaults('drop-sockets@5s'),
    },
  },
  burst: {
    about: 'one UPDATE changes all of 10,000 rows, every 2 seconds',
    plan: {
      agents: 300,
      dashboards: 20,
      vms: 10_000,
      batch: 10_000,
      rate: 5_000,
      durationMs: 10_000,
    },
  },
};
