// Renders a load test's result as one self-contained HTML page, with the tables and with plots.

import { escapeXml, renderPlot, type LinePlot, type Series } from './plot.js';
import { renderText } from './report-text.js';
import type { LoadTestResult, Sample } from './result.js';

const STYLE =
  'body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}' +
  'pre{overflow-x:auto;background:#f6f6f6;padding:1rem;font-size:13px;line-height:1.4}' +
  'svg{width:100%;height:auto;margin:1rem 0;border:1px solid #eee}';

/** @param title names the target and the time. */
export function renderHtml(result: LoadTestResult, title: string): string {
  const { failures, plan } = result;
  const verdict = failures.length === 0 ? 'Passed.' : failures.join('; ');
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeXml(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escapeXml(title)}</h1><p>${escapeXml(describePlan(plan))}</p>`,
    `<p><strong>${escapeXml(verdict)}</strong></p>`,
    ...createPlots(result).map(renderPlot),
    `<h2>Figures</h2><pre>${escapeXml(renderText(result).trim())}</pre>`,
    '</body></html>\n',
  ].join('\n');
}

export function describePlan(plan: LoadTestResult['plan']): string {
  const { agents, dashboards, vms, rate, batch, durationMs } = plan;
  const updates = batch === 1 ? '' : `, ${batch} to an UPDATE`;
  return (
    `${agents} agents and ${dashboards} dashboards on ${vms} VMs; ` +
    `${rate} changes a second${updates}, for ${durationMs / 1e3} s`
  );
}

function createPlots({ timeline, faults }: LoadTestResult): LinePlot[] {
  const marks = faults.map(({ fault, atMs }) => ({ x: atMs / 1e3, text: fault }));
  const createSeries: CreateSeries = (name, read) => ({
    name,
    points: timeline.flatMap((sample) => {
      const y = read(sample);
      return y === undefined ? [] : [[sample.atMs / 1e3, y] as const];
    }),
  });
  return [...createClientPlots(createSeries), ...createGatewayPlots(createSeries)]
    .filter((plot) => plot.series.some(({ points }) => points.length > 0))
    .map((plot) => ({ ...plot, xLabel: 'seconds', marks }));
}

type Plot = Omit<LinePlot, 'xLabel' | 'marks'>;
type CreateSeries = (name: string, read: (sample: Sample) => number | undefined) => Series;

function createClientPlots(createSeries: CreateSeries): Plot[] {
  const latency = (clients: 'agents' | 'dashboards', percentile: 'p50' | 'p99'): Series =>
    createSeries(`${clients} ${percentile}`, ({ [clients]: sample }) =>
      sample.delivered === 0 ? undefined : sample.latencyMs[percentile],
    );
  return [
    {
      title: 'Push latency, from when the UPDATE was due',
      yLabel: 'ms',
      logarithmic: 'y',
      series: [
        latency('agents', 'p50'),
        latency('agents', 'p99'),
        latency('dashboards', 'p50'),
        latency('dashboards', 'p99'),
      ],
    },
    {
      title: 'Changes',
      yLabel: '1/s',
      series: [
        createSeries('made', ({ changes }) => changes),
        createSeries('delivered to agents', ({ agents }) => agents.delivered),
      ],
    },
    {
      title: 'Changes delivered to dashboards',
      yLabel: '1/s',
      series: [createSeries('delivered to dashboards', ({ dashboards }) => dashboards.delivered)],
    },
    {
      title: 'Clients connected',
      yLabel: '',
      series: [createSeries('connected', ({ connected }) => connected)],
    },
  ];
}

function createGatewayPlots(createSeries: CreateSeries): Plot[] {
  return [
    {
      title: "The gateway's CPU",
      yLabel: '% of a core',
      series: [createSeries('CPU', ({ cpuShare }) => cpuShare && 100 * cpuShare)],
    },
    {
      title: "The gateway's memory",
      yLabel: 'MiB',
      series: [createSeries('held', ({ rssBytes }) => rssBytes && rssBytes / 2 ** 20)],
    },
    {
      title: "The delay of the gateway's event loop",
      yLabel: 'ms',
      series: [
        createSeries('p99', ({ loopLagMs }) => loopLagMs?.p99),
        createSeries('max', ({ loopLagMs }) => loopLagMs?.max),
      ],
    },
  ];
}
