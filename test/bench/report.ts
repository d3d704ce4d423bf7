// Results as Markdown tables, which read well in a terminal too. Ratios stand below what they
// compare.

import type { Percentiles } from '../../src/loadtest/latencies.js';
import { formatMarkdownTable } from '../../src/table.js';
import type { CountersSum } from '../../src/loadtest/counters.js';
import type { BadReadersReport } from './bad-readers.js';
import type { PassResult } from './pass.js';
import { describe, type Contender, type Scenario } from './scenarios.js';

/** A figure of a contender; undefined where it has none. */
interface Column {
  readonly title: string;
  readonly digits: number;
  readonly of: (result: PassResult) => number | undefined;
}

const PERCENTILES = [
  ['p50', 'p50'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
  ['max', 'max'],
] as const satisfies (readonly [string, keyof Percentiles])[];

function latency(title: string, of: (result: PassResult) => CountersSum): Column[] {
  return PERCENTILES.map(([name, percentile]) => ({
    title: `${title} ${name}`,
    digits: 2,
    of: (result) => {
      const percentiles = of(result).latencies.percentiles();
      return percentiles.count === 0 ? undefined : percentiles[percentile];
    },
  }));
}

/** The bare listener is neither an agent nor a dashboard: its one latency is the floor of both. */
const pushesToAgents = ({ contender, told }: PassResult): CountersSum =>
  contender === 'floor' ? told.dashboards : told.agents;

const LATENCIES = [
  ...latency('agents ms', pushesToAgents),
  ...latency('dashb. ms', ({ told }) => told.dashboards),
];
const SETTLED: readonly Column[] = [
  { title: 'settled ms', digits: 0, of: ({ settledUs }) => median(settledUs) / 1e3 },
  { title: 'slowest', digits: 0, of: ({ settledUs }) => Math.max(...settledUs) / 1e3 },
];
const CPU_PER_CHANGE: Column = {
  title: 'CPU µs/change',
  digits: 0,
  of: ({ contender, cpuUs, changes }) =>
    contender === 'floor' ? undefined : cpuUs.reduce((sum, us) => sum + us, 0) / changes,
};
const CPU: Column = {
  title: 'CPU ms',
  digits: 0,
  of: ({ contender, cpuUs }) => (contender === 'floor' ? undefined : median(cpuUs) / 1e3),
};
const CONNECTS: readonly Column[] = [
  { title: 'CPU µs/connect', digits: 0, of: ({ socketCost }) => socketCost?.cpuUs },
  { title: 'all connected s', digits: 1, of: ({ socketCost }) => per(socketCost?.connectUs, 1e6) },
];
const MEMORY: readonly Column[] = [
  { title: 'RSS kB/socket', digits: 1, of: ({ socketCost }) => per(socketCost?.rss, 1024) },
  { title: 'JS kB/socket', digits: 1, of: ({ socketCost }) => per(socketCost?.heap, 1024) },
];
const GROWN: readonly Column[] = [
  { title: 'RSS + MB at most', digits: 1, of: ({ grown }) => per(grown?.mostRss, 2 ** 20) },
  { title: 'JS + MB at the end', digits: 1, of: ({ grown }) => per(grown?.heap, 2 ** 20) },
];
const LOST: Column = { title: 'rows lost', digits: 0, of: ({ differences }) => differences };

function chooseColumns({ name, load }: Scenario): readonly Column[] {
  switch (load.kind) {
    case 'none':
      return [...MEMORY, ...CONNECTS];
    case 'pace':
      return name === 'scale'
        ? [...LATENCIES, ...MEMORY, ...CONNECTS]
        : [...LATENCIES, CPU_PER_CHANGE];
    case 'stall':
      return [...LATENCIES, ...GROWN];
    case 'bursts':
      return [...SETTLED, CPU];
    case 'gap':
      return [LOST, ...SETTLED];
    case 'storm':
      return [...SETTLED, CPU, ...CONNECTS];
  }
}

function per(value: number | undefined, unit: number): number | undefined {
  return value === undefined ? undefined : value / unit;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

export function reportText(scenario: Scenario, results: readonly PassResult[]): string {
  const columns = chooseColumns(scenario);
  const line = (result: PassResult): string[] => [
    result.contender,
    ...columns.map(({ of, digits }) => of(result)?.toFixed(digits) ?? ''),
  ];
  const lines = [
    ['', ...columns.map(({ title }) => title)],
    ...results.map(line),
    ...ratioLine(columns, results, 'gateway', 'floor'),
    ...ratioLine(columns, results, 'gateway', 'naive'),
    ...ratioLine(columns, results, 'attacked', 'gateway'),
    ...ratioLine(columns, results, 'stalled', 'gateway'),
  ];
  const heading = `### ${scenario.name}: ${describe(scenario)}`;
  return [heading, '', ...formatMarkdownTable(lines), '', ...notes(results)].join('\n');
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
    if (figure === undefined || compared === undefined || compared === 0) return '';
    return `× ${(figure / compared).toFixed(2)}`;
  });
  return [[`${one} / ${other}`, ...ratios]];
}

/**
 * The bounds of the figures, the lateness of the writer itself, and the outcomes of bad readers.
 */
function notes(results: readonly PassResult[]): string[] {
  const lateness = results.map(({ writerLateness }) => writerLateness.percentiles());
  const late = Math.max(...lateness.map(({ p99 }) => p99));
  const lines =
    late > 0 ? [`The writer itself was late by up to ${late.toFixed(2)} ms (p99).`] : [];
  for (const { badReaders } of results)
    if (badReaders !== undefined) lines.push(describeBadReaders(badReaders));
  return lines.flatMap((line) => [line, '']);
}

const describeBadReaders = ({ closedMs = NaN, turnedAway }: BadReadersReport): string =>
  `The clients that read nothing or a byte a second were closed with 4408, the last ${(closedMs / 1e3).toFixed(0)} s ` +
  `after they connected. The client that sent without end was closed ${turnedAway} times with 4429.`;
