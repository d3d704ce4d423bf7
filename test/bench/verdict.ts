// Several rounds as one result, and what in it is wrong: speed is no excuse for a lost push.

import type { PassResult } from './pass.js';
import type { Scenario } from './scenarios.js';
import { mergeTallies } from './tally.js';

export function mergeRounds(rounds: readonly [PassResult, ...PassResult[]]): PassResult {
  const sum = (of: (round: PassResult) => number): number =>
    rounds.reduce((total, round) => total + of(round), 0);
  const highest = (of: (round: PassResult) => number): number => Math.max(...rounds.map(of));
  return {
    ...rounds[0],
    agents: mergeTallies(rounds.map(({ agents }) => agents)),
    dashboards: mergeTallies(rounds.map(({ dashboards }) => dashboards)),
    changes: sum(({ changes }) => changes),
    writerLatenessUs: highest(({ writerLatenessUs }) => writerLatenessUs),
    cpuUs: rounds.flatMap(({ cpuUs }) => cpuUs),
    settledUs: rounds.flatMap(({ settledUs }) => settledUs),
    differences: sum(({ differences }) => differences),
  };
}

/** What went wrong, in words; empty when all is well. */
export function faultsOf(result: PassResult, scenario: Scenario): string[] {
  const { agents, dashboards, differences } = result;
  const faults: string[] = [];
  if (differences > 0) faults.push(`${differences} rows were not as in the table in the end`);
  const outOfOrder = agents.outOfOrder + dashboards.outOfOrder;
  if (outOfOrder > 0) faults.push(`${outOfOrder} pushes came out of order`);
  const missing = expectedOfAgents(result, scenario) - agents.delivered;
  if (missing > 0) faults.push(`${missing} changes were never pushed to their agent`);
  return faults;
}

/** An agent that keeps up is told of every change; a dashboard may be told of several as one. */
function expectedOfAgents({ contender, changes }: PassResult, scenario: Scenario): number {
  const { load, agents } = scenario;
  if (contender === 'floor') return 0;
  return load.kind === 'bursts' ? agents * load.count : changes;
}
