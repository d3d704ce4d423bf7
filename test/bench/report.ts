// Results as Markdown tables, which read well in a terminal too. Ratios stand below what they compare.

import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import type { PassResult } from './pass.js';
import { describe, type Scenario } from './scenarios.js';
import type { Contender } from './servers.js';
import type { TallyReport } from './tally.js';

/** One figure of a contender's; undefined where it has none. */
interface Column {
  readonly title: string;
  readonly digits: number;
  readonly of: (result: PassResult) => number | undefined;
}

const PERCENTILES = [50, 90, 99, 100];

function latency(title: string, of: (result: PassResult) => TallyReport): Column[] {
  return PERCENTILES.map((percentile) => ({
    title: `${title} ${percentile === 100 ? 'max' : `p${percentile}`}`,
    digits: 2,
    of: (result) => {
      const histogram = decodeFromCompressedBase64(of(result).histogram);
      if (histogram.totalCount === 0) return undefined;
      return histogram.getValueAtPercentile(percentile) / 1e3;
    },
  }));
}

/** The bare listener is nobody's agent and nobody's dashboard: its one latency is the floor of both. */
const pushesToAgents = (result: PassResult): TallyReport =>
  result.contender === 'floor' ? result.dashboards : result.agents;

const COLUMNS: Record<Scenario['load']['kind'], readonly Column[]> = {
  none: [
    { title: 'RSS kB/socket', digits: 1, of: ({ socketCost }) => kB(socketCost?.rss) },
    { title: 'JS kB/socket', digits: 1, of: ({ socketCost }) => kB(socketCost?.heap) },
    { title: 'CPU µs/connect', digits: 0, of: ({ socketCost }) => socketCost?.cpuUs },
    { title: 'all connected s', digits: 1, of: ({ socketCost }) => seconds(socketCost?.connectUs) },
  ],
  pace: [
    ...latency('agents ms', pushesToAgents),
    ...latency('dashb. ms', ({ dashboards }) => dashboards),
    { title: 'CPU µs/change', digits: 0, of: (result) => cpuPerChange(result) },
  ],
  bursts: [
    { title: 'settled ms', digits: 0, of: ({ settledUs }) => median(settledUs) / 1e3 },
    { title: 'slowest', digits: 0, of: ({ settledUs }) => Math.max(...settledUs) / 1e3 },
    { title: 'CPU ms', digits: 0, of: (result) => cpuPerBurst(result) },
  ],
};

function kB(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / 1024;
}

function seconds(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / 1e6;
}

function cpuPerChange({ contender, cpuUs, changes }: PassResult): number | undefined {
  if (contender === 'floor') return undefined;
  return cpuUs.reduce((sum, us) => sum + us, 0) / changes;
}

function cpuPerBurst({ contender, cpuUs }: PassResult): number | undefined {
  return contender === 'floor' ? undefined : median(cpuUs) / 1e3;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

export function reportText(scenario: Scenario, results: readonly PassResult[]): string {
  const columns = COLUMNS[scenario.load.kind];
  const line = (result: PassResult): string[] => [
    result.contender,
    ...columns.map(({ of, digits }) => of(result)?.toFixed(digits) ?? ''),
  ];
  const heading = `### ${scenario.name}: ${describe(scenario)}`;
  const lines = [
    ['', ...columns.map(({ title }) => title)],
    ...results.map(line),
    ...ratioLine(columns, results, 'gateway', 'floor'),
    ...ratioLine(columns, results, 'gateway', 'naive'),
    ...ratioLine(columns, results, 'attacked', 'gateway'),
  ];
  return [heading, '', ...markdownTable(lines), '', ...notes(results)].join('\n');
}

/** The figures of one over another's. */
function ratioLine(
  columns: readonly Column[],
  results: readonly PassResult[],
  one: Contender,
  other: Contender,
): string[][] {
  const [ours, theirs] = [one, other].map((name) =>
    results.find(({ contender }) => contender === name),
  );
  if (ours === undefined || theirs === undefined) return [];
  const ratios = columns.map(({ of }) => {
    const [figure, compared] = [of(ours), of(theirs)];
    if (figure === undefined || compared === undefined) return '';
    return `× ${(figure / compared).toFixed(2)}`;
  });
  return [[`${one} / ${other}`, ...ratios]];
}

/** What bounds the figures: how far the writer itself was late, and what dashboards were spared. */
function notes(results: readonly PassResult[]): string[] {
  const late = Math.max(...results.map(({ writerLatenessUs }) => writerLatenessUs)) / 1e3;
  return late > 0 ? [`The writer itself was late by up to ${late.toFixed(2)} ms (p99).`, ''] : [];
}

/** The first line is the heading. */
export function markdownTable(lines: readonly string[][]): string[] {
  const widths = lines[0]?.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => pad(cell, widths?.[at] ?? 0, at === 0)).join(' | ')} |`;
  const rule = `| ${widths?.map((width, at) => '-'.repeat(width - (at && 1)) + (at ? ':' : '')).join(' | ') ?? ''} |`;
  const [head = [], ...body] = lines;
  return [row(head), rule, ...body.map(row)];
}

function pad(cell: string, width: number, left: boolean): string {
  return left ? cell.padEnd(width) : cell.padStart(width);
}
