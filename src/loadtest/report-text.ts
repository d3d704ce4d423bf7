// Renders a load test's result for a terminal: latencies, deliveries, failures, and the resources
// that the gateway used.

import type { Percentiles } from './latencies.js';
import type { DeliveryResult, LoadTestResult, Sample } from './result.js';
import { formatMarkdownTable } from '../table.js';

/** The cells of a table; the first line is the heading. */
export type ReportTable = readonly (readonly string[])[];

/** The latencies: how many were measured, and their percentiles in milliseconds. */
export function createLatencyTable(result: LoadTestResult): ReportTable {
  const { agents, dashboards, connectMs, reconnectMs, writer } = result;
  const times: [string, Percentiles][] = [
    ['connect', connectMs],
    ['reconnect', reconnectMs],
    ['push to agents', agents.latencyMs],
    ['push to dashboards', dashboards.latencyMs],
    ['(writer late by)', writer.latenessMs],
  ];
  return [
    ['ms', 'count', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    ...times
      .filter(([, { count }]) => count > 0)
      .map(([name, ms]) => createPercentileCells(name, ms)),
  ];
}

/** What became of the changes that clients should have received. */
export function createDeliveryTable({ agents, dashboards }: LoadTestResult): ReportTable {
  return [
    ['changes', 'expected', 'delivered', 'conflated', 'lost', 'duplicated', 'out of order'],
    createDeliveryCells('agents', agents),
    createDeliveryCells('dashboards', dashboards),
  ];
}

export function renderText(result: LoadTestResult): string {
  const { failures, interrupted } = result;
  return [
    '',
    ...formatMarkdownTable(createLatencyTable(result)),
    '',
    ...formatMarkdownTable(createDeliveryTable(result)),
    '',
    ...renderGatewayLines(result),
    ...renderFaultLines(result),
    ...(interrupted ? ['Ended early.'] : []),
    ...(failures.length === 0 ? ['Passed.'] : failures.map((text) => `FAILED: ${text}`)),
    '',
  ].join('\n');
}

/** Renders a line of progress. */
export function renderProgress({ atMs, phase, connected, ...sample }: Sample): string {
  const { changes, agents, dashboards, cpuShare } = sample;
  const parts = [
    `${(atMs / 1e3).toFixed(0)} s`,
    phase,
    `${connected} connected`,
    `${changes.toFixed(0)} changes/s`,
    `agents ${formatRate(agents)}`,
    `dashboards ${formatRate(dashboards)}`,
  ];
  if (cpuShare !== undefined) parts.push(`gateway ${(100 * cpuShare).toFixed(0)} % CPU`);
  return parts.join(' · ');
}

function formatRate({ delivered, latencyMs: { p50, p99 } }: Sample['agents']): string {
  if (delivered === 0) return '0/s';
  return `${delivered.toFixed(0)}/s p50 ${formatMs(p50)} p99 ${formatMs(p99)} ms`;
}

export function formatMs(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(value < 100 ? 1 : 0);
}

function createPercentileCells(
  name: string,
  { count, p50, p90, p99, p999, max }: Percentiles,
): string[] {
  return [name, String(count), ...[p50, p90, p99, p999, max].map(formatMs)];
}

function createDeliveryCells(name: string, delivery: DeliveryResult): string[] {
  const { expected, delivered, conflated, lost, duplicated, outOfOrder } = delivery;
  return [name, ...[expected, delivered, conflated, lost, duplicated, outOfOrder].map(String)];
}

export function renderGatewayLines({ gateway, settledMs, writer }: LoadTestResult): string[] {
  const settled =
    settledMs === undefined ? 'not settled' : `settled ${formatMs(settledMs)} ms after it`;
  const lines = [`${writer.changes} changes, ${settled}.`];
  if (gateway === undefined) return [...lines, 'The resources of the gateway are unknown.'];
  const { cpuSeconds, cpuShare, cpuUsPerChange, cpuUsPerConnect, loopLagMs } = gateway;
  const { bytesPerSocket, maxRssBytes } = gateway;
  const memory = bytesPerSocket === undefined ? '?' : (bytesPerSocket / 1024).toFixed(1);
  return [
    ...lines,
    `Gateway: CPU ${cpuSeconds.toFixed(2)} s (${(100 * cpuShare).toFixed(0)} % of a core, ` +
      `${cpuUsPerChange.toFixed(0)} µs per change, ${cpuUsPerConnect.toFixed(0)} µs per connect), ` +
      `memory ${memory} KiB per socket, ${(maxRssBytes / 2 ** 20).toFixed(0)} MiB at most, ` +
      `event loop late by ${formatMs(loopLagMs.p99)} ms (p99), ${formatMs(loopLagMs.max)} ms (max).`,
  ];
}

export function renderFaultLines({ faults, lostSockets, refusals }: LoadTestResult): string[] {
  const lines = faults.map(({ fault, atMs, error }) =>
    [`Fault ${fault} at ${(atMs / 1e3).toFixed(1)} s`, error ?? 'injected'].join(': '),
  );
  for (const [code, count] of Object.entries(lostSockets)) {
    lines.push(`${count} sockets were closed with ${code}.`);
  }
  for (const [status, count] of Object.entries(refusals)) {
    lines.push(`${count} upgrades were rejected with ${status}.`);
  }
  return lines;
}
