// Several rounds as one result, and what in it is wrong: speed is no excuse for a lost push.

import { createEmptyReport } from '../../src/loadtest/virtual-users-report.js';
import { Latencies } from '../../src/loadtest/latencies.js';
import type { PassResult } from './pass.js';
import type { Scenario } from './scenarios.js';

/** Taken apart by it: what is merged can be taken no more. */
export function mergeRounds(rounds: readonly [PassResult, ...PassResult[]]): PassResult {
  const sum = (of: (round: PassResult) => number): number =>
    rounds.reduce((total, round) => total + of(round), 0);
  const told = createEmptyReport();
  const writerLateness = new Latencies();
  for (const round of rounds) {
    told.agents.merge(round.told.agents);
    told.dashboards.merge(round.told.dashboards);
    writerLateness.add(round.writerLateness.take());
  }
  return {
    ...rounds[0],
    ...{ told, writerLateness },
    changes: sum(({ changes }) => changes),
    agentChanges: sum(({ agentChanges }) => agentChanges),
    cpuUs: rounds.flatMap(({ cpuUs }) => cpuUs),
    settledUs: rounds.flatMap(({ settledUs }) => settledUs),
    differences: sum(({ differences }) => differences),
  };
}

/** The failures, in words; empty if there are none. */
export function findFaults(result: PassResult, { load }: Scenario): string[] {
  const { told, differences, contender, agentChanges, badReaders } = result;
  const { agents, dashboards } = told;
  const faults: string[] = [];
  if (differences > 0) faults.push(`${differences} rows were not as in the table in the end`);
  const outOfOrder = agents.outOfOrder + dashboards.outOfOrder;
  if (outOfOrder > 0) faults.push(`${outOfOrder} pushes came out of order`);
  const duplicated = agents.duplicated + dashboards.duplicated;
  if (duplicated > 0) faults.push(`${duplicated} pushes came twice`);
  // An agent that keeps up receives every change; a dashboard may receive several as one.
  const isTold = contender !== 'floor' && ['pace', 'stall', 'bursts'].includes(load.kind);
  const missing = isTold ? agentChanges - agents.delivered : 0;
  if (missing > 0) faults.push(`${missing} changes were never pushed to their agent`);
  if (badReaders?.closedMs === undefined && contender === 'stalled')
    faults.push('who read nothing, or next to nothing, was not closed for it');
  return faults;
}
