// Renders a load test's result as one self-contained HTML page, with the tables and with plots.

import { escapeXml, renderPlot, type LinePlot, type Series } from './plot.js';
import {
  createDeliveryTable,
  createLatencyTable,
  formatMs,
  renderFaultLines,
  renderGatewayLines,
  type ReportTable,
} from './report-text.js';
import type { LoadTestResult, Sample } from './result.js';

const STYLE =
  'body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}' +
  'h1{line-height:1.2}dt{float:left;clear:left;width:8rem;color:#666}dd{margin:0 0 0 8rem}' +
  '.figures{display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0}.figures div{border:1px solid #ddd;' +
  'border-radius:8px;padding:.5rem 1rem}.figures b{display:block;font-size:1.6rem}' +
  'table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}' +
  'th,td{padding:.25rem .75rem;border-bottom:1px solid #ddd;text-align:right}' +
  'th:first-child,td:first-child{text-align:left}' +
  'svg{width:100%;height:auto;margin:1rem 0;border:1px solid #eee}' +
  '@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}dt{color:#999}' +
  'svg,th,td,.figures div{border-color:#3a3f47}svg>rect{fill:#1d2025}' +
  'svg text:not([fill]){fill:#ddd}svg line{stroke:#3a3f47}}';

/** Where and how the test ran: a line each, such as the version and the machine. */
export type ReportContext = Readonly<Record<string, string>>;

/** @param title names the target and the time. */
export function renderHtml(
  result: LoadTestResult,
  title: string,
  context: ReportContext = {},
): string {
  const { failures, plan } = result;
  const verdict = failures.length === 0 ? 'Passed.' : failures.join('; ');
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeXml(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escapeXml(title)}</h1><p>${escapeXml(describePlan(plan))}</p>`,
    `<p><strong>${escapeXml(verdict)}</strong></p>`,
    renderHeadlines(result),
    renderContext(context),
    renderTable(createLatencyTable(result)),
    renderTable(createDeliveryTable(result)),
    ...[...renderGatewayLines(result), ...renderFaultLines(result)].map(
      (line) => `<p>${escapeXml(line)}</p>`,
    ),
    ...createPlots(result).map(renderPlot),
    '</body></html>\n',
  ].join('\n');
}

/** The figures that a reader looks for first. */
function renderHeadlines({ agents, dashboards, writer }: LoadTestResult): string {
  const headlines = [
    [`${formatMs(agents.latencyMs.p50)} ms`, 'push to agents, median'],
    [`${formatMs(agents.latencyMs.p99)} ms`, 'push to agents, p99'],
    [String(agents.lost + dashboards.lost), 'final states lost'],
    [String(writer.changes), 'changes'],
  ];
  const boxes = headlines.map(
    ([figure = '', name = '']) => `<div><b>${escapeXml(figure)}</b>${escapeXml(name)}</div>`,
  );
  return `<div class="figures">${boxes.join('')}</div>`;
}

function renderContext(context: ReportContext): string {
  const lines = Object.entries(context).map(
    ([name, value]) => `<dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd>`,
  );
  return lines.length === 0 ? '' : `<dl>${lines.join('')}</dl>`;
}

function renderTable([heading = [], ...rows]: ReportTable): string {
  const renderRow = (cells: readonly string[], tag: 'th' | 'td'): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeXml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${renderRow(heading, 'th')}${rows.map((row) => renderRow(row, 'td')).join('')}</table>`;
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
