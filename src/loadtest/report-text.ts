// A load test's result for a terminal: who watched, how late they were told, what was wrong, what it cost.

import type { Percentiles } from './latencies.js';
import type { Delivery, LoadTestResult, Sample } from './result.js';
import { formatMarkdownTable } from '../table.js';

export function reportText(result: LoadTestResult): string {
  const { agents, dashboards, connectMs, reconnectMs, writer, failures, interrupted } = result;
  const times: [string, Percentiles][] = [
    ['connect', connectMs],
    ['reconnect', reconnectMs],
    ['push to agents', agents.latencyMs],
    ['push to dashboards', dashboards.latencyMs],
    ['(writer late by)', writer.latenessMs],
  ];
  return [
    '',
    ...formatMarkdownTable([
      ['ms', 'count', 'p50', 'p90', 'p99', 'p99.9', 'max'],
      ...times.filter(([, { count }]) => count > 0).map(([name, ms]) => percentileCells(name, ms)),
    ]),
    '',
    ...formatMarkdownTable([
      ['changes', 'expected', 'delivered', 'conflated', 'lost', 'duplicated', 'out of order'],
      deliveryCells('agents', agents),
      deliveryCells('dashboards', dashboards),
    ]),
    '',
    ...gatewayLines(result),
    ...faultLines(result),
    ...(interrupted ? ['Ended early.'] : []),
    ...(failures.length === 0 ? ['All is well.'] : failures.map((text) => `FAILED: ${text}`)),
    '',
  ].join('\n');
}

/** One line that says how it goes. */
export function progressText({ atMs, phase, connected, ...sample }: Sample): string {
  const { changes, agents, dashboards, cpuShare } = sample;
  const parts = [
    `${(atMs / 1e3).toFixed(0)} s`,
    phase,
    `${connected} connected`,
    `${changes.toFixed(0)} changes/s`,
    `agents ${rateText(agents)}`,
    `dashboards ${rateText(dashboards)}`,
  ];
  if (cpuShare !== undefined) parts.push(`gateway ${(100 * cpuShare).toFixed(0)} % CPU`);
  return parts.join(' · ');
}

function rateText({ delivered, latencyMs: { p50, p99 } }: Sample['agents']): string {
  if (delivered === 0) return '0/s';
  return `${delivered.toFixed(0)}/s p50 ${ms(p50)} p99 ${ms(p99)} ms`;
}

export function ms(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(value < 100 ? 1 : 0);
}

function percentileCells(name: string, { count, p50, p90, p99, p999, max }: Percentiles): string[] {
  return [name, String(count), ...[p50, p90, p99, p999, max].map(ms)];
}

function deliveryCells(name: string, delivery: Delivery): string[] {
  const { expected, delivered, conflated, lost, duplicated, outOfOrder } = delivery;
  return [name, ...[expected, delivered, conflated, lost, duplicated, outOfOrder].map(String)];
}

export function gatewayLines({ gateway, settledMs, writer }: LoadTestResult): string[] {
  const settled = settledMs === undefined ? 'not settled' : `settled ${ms(settledMs)} ms after it`;
  const lines = [`${writer.changes} changes, ${settled}.`];
  if (gateway === undefined) return [...lines, 'The gateway did not say what it cost.'];
  const { cpuSeconds, cpuShare, cpuUsPerChange, cpuUsPerConnect, loopLagMs } = gateway;
  const { bytesPerSocket, maxRssBytes } = gateway;
  const memory = bytesPerSocket === undefined ? '?' : (bytesPerSocket / 1024).toFixed(1);
  return [
    ...lines,
    `Gateway: CPU ${cpuSeconds.toFixed(2)} s (${(100 * cpuShare).toFixed(0)} % of a core, ` +
      `${cpuUsPerChange.toFixed(0)} µs a change, ${cpuUsPerConnect.toFixed(0)} µs a connect), ` +
      `memory ${memory} KiB a socket, ${(maxRssBytes / 2 ** 20).toFixed(0)} MiB at most, ` +
      `event loop late by ${ms(loopLagMs.p99)} ms (p99), ${ms(loopLagMs.max)} ms (max).`,
  ];
}

export function faultLines({ faults, lostSockets, refusals }: LoadTestResult): string[] {
  const lines = faults.map(({ fault, atMs, error }) =>
    [`Fault ${fault} at ${(atMs / 1e3).toFixed(1)} s`, error ?? 'made'].join(': '),
  );
  for (const [code, count] of Object.entries(lostSockets)) {
    lines.push(`${count} sockets were closed with ${code}.`);
  }
  for (const [status, count] of Object.entries(refusals)) {
    lines.push(`${count} upgrades were refused with ${status}.`);
  }
  return lines;
}
