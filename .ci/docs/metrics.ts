// The table of the gateway's own metrics. prom-client documents those of the process and of Node.

import { Registry } from 'prom-client';
import { createCounters, createHistograms } from '../../src/gateway/metrics/counters.js';
import {
  createAuditGauge,
  createQueueGauge,
  registerGauges,
} from '../../src/gateway/metrics/gauges.js';
import { code, table } from './table.js';

/** The fields that prom-client keeps about a metric; its types lack the labels. */
interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

export function metrics(): string {
  const registry = new Registry();
  createCounters([registry]);
  createHistograms([registry]);
  createAuditGauge([registry]);
  createQueueGauge([registry]);
  registerGauges(
    {
      sessions: Object.assign([], { conflated: { vm: 0, fleet: 0 } }),
      vms: () => [],
      presence: () => [],
      staleRows: () => 0,
      setAside: () => ({ row: 0, presence: 0 }),
      droppedLogLines: () => 0,
      live: () => true,
      revocations: () => ({ known: 0, ageMs: 0 }),
    },
    [registry],
  );
  const described = registry.getMetricsAsArray() as unknown as readonly Described[];
  return table(
    ['metric', 'type', 'labels', 'meaning'],
    described.map((metric) => [
      code(metric.name),
      metric.type,
      (metric.labelNames ?? []).map(code).join(', '),
      metric.help,
    ]),
  );
}
