// How cost grows: the same load on more VMs and before more dashboards, and a return after more was
// missed. A change must cost in proportion to its receivers, and catching up in proportion to what
// changed.

import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { VirtualUsers } from '../../src/loadtest/virtual-users.js';
import { renderPlot, type LinePlot } from '../../src/loadtest/plot.js';
import { Remote } from '../../src/loadtest/rpc.js';
import { removeRows, insertRows } from '../../src/loadtest/rows.js';
import { formatMarkdownTable } from '../../src/table.js';
import type { WriterHandlers } from '../../src/loadtest/writer-process.js';
import { runPass } from './pass.js';
import type { Scenario } from './scenarios.js';
import { CREDENTIALS, Server, type Bench } from './servers.js';

export const GROWTH = 'growth';
const VMS = [100, 1_000, 10_000];
const DASHBOARDS = [1, 10, 100];
const MISSED = [10, 100, 1_000, 10_000];
const AGENTS = 100;
const RETURNING = 50;
const PER_SECOND = 300;
export const MOST_SOCKETS = AGENTS + Math.max(...DASHBOARDS);

interface Figure {
  readonly of: string;
  readonly x: number;
  readonly y: number;
}

/** Prints the tables, and writes the plots beside the benchmark's README. */
export async function runGrowth(bench: Bench, print: (text: string) => void): Promise<void> {
  const changes = await measureChanges(bench);
  const returns = await measureReturns(bench);
  print(figuresText('CPU µs of a change, by dashboards', changes));
  print(figuresText('CPU µs of a dashboard that comes back, by changes it missed', returns));
  await plot('growth-changes.svg', {
    title: 'What a change costs the gateway',
    ...{ xLabel: 'dashboards', yLabel: 'µs of CPU' },
    ...{ logarithmic: 'both', series: toSeries(changes) },
  });
  await plot('growth-returns.svg', {
    title: 'What it costs the gateway that a dashboard comes back',
    ...{ xLabel: 'changes that it missed', yLabel: 'µs of CPU' },
    ...{ logarithmic: 'both', series: toSeries(returns) },
  });
}

async function measureChanges(bench: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const rows of VMS) {
    await removeRows(bench.client);
    await insertRows(bench.client, rows);
    for (const dashboards of DASHBOARDS) {
      const scenario: Scenario = {
        ...{ name: GROWTH, agents: AGENTS, dashboards, rows, rounds: 1, contenders: ['gateway'] },
        load: { kind: 'pace', perSecond: PER_SECOND, batch: 1, durationMs: 3_000 },
      };
      const { cpuUs, changes } = await runPass(bench, scenario, 'gateway');
      figures.push({ of: `${rows} VMs`, x: dashboards, y: (cpuUs[0] ?? NaN) / changes });
    }
  }
  return figures;
}

/** Dashboards leave, rows change, they come back: what the gateway spends on that, on each. */
async function measureReturns(bench: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const rows of VMS) {
    await removeRows(bench.client);
    await insertRows(bench.client, rows);
    const server = await Server.start('gateway', bench, GROWTH);
    const crowd = new VirtualUsers({ agents: 0, dashboards: RETURNING, rows });
    const module = new URL('../../src/loadtest/writer-process.js', import.meta.url);
    const writer = Remote.start<WriterHandlers>(module);
    try {
      await writer.call('connect', { database: bench.database, agents: 0, setsVersion: false });
      await crowd.join(server.endpoint, CREDENTIALS);
      const returned = async (missed: number): Promise<number> => {
        await crowd.leave();
        // A batch is the first so many rows, all of them changed by one UPDATE.
        await writer.call('first', { rows: missed });
        await crowd.waitUntilQuiet(1_000);
        const beforeUs = await server.cpuUs();
        await crowd.connect(Infinity);
        await crowd.waitUntilConnected(20_000);
        return ((await server.cpuUs()) - beforeUs) / RETURNING;
      };
      for (let warmUp = 0; warmUp < 5; warmUp++) await returned(1);
      for (const missed of MISSED.filter((count) => count <= rows)) {
        const times = [await returned(missed), await returned(missed), await returned(missed)];
        figures.push({ of: `${rows} VMs`, x: missed, y: Math.min(...times) });
      }
    } finally {
      await Promise.all([crowd.stop(), writer.stop(), server.stop()]);
    }
  }
  return figures;
}

function toSeries(figures: readonly Figure[]): LinePlot['series'] {
  return VMS.map((rows) => `${rows} VMs`).map((name) => ({
    name,
    points: figures.filter((figure) => figure.of === name).map(({ x, y }) => [x, y] as const),
  }));
}

function figuresText(title: string, figures: readonly Figure[]): string {
  const xs = [...new Set(figures.map(({ x }) => x))].toSorted((a, b) => a - b);
  const cell = (name: string, x: number): string =>
    figures.find((figure) => figure.of === name && figure.x === x)?.y.toFixed(0) ?? '';
  const lines = [
    ['', ...xs.map(String)],
    ...toSeries(figures).map(({ name }) => [name, ...xs.map((x) => cell(name, x))]),
  ];
  return [`### ${title}`, '', ...formatMarkdownTable(lines), ''].join('\n');
}

async function plot(file: string, content: LinePlot): Promise<void> {
  const folder = resolve('test/bench');
  await mkdir(folder, { recursive: true });
  await writeFile(resolve(folder, file), `${renderPlot(content)}\n`);
}
