// Renders line plots as SVG text, for a page or a file.

export interface Series {
  readonly name: string;
  /** Sorted by x. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LinePlot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Axes with powers of ten; every value on them must be above 0. */
  readonly logarithmic?: 'y' | 'both';
  /** Named places on the x axis, such as the time of a fault. */
  readonly marks?: readonly { readonly x: number; readonly text: string }[];
}

const WIDTH = 720;
const HEIGHT = 260;
const LEFT = 64;
const RIGHT = 16;
const TOP = 46;
const BOTTOM = 40;
/** Distinguishable for colour-blind people (Okabe and Ito, 2008). */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

export function renderPlot(plot: LinePlot): string {
  const xs = plot.series.flatMap(({ points }) => points.map(([x]) => x));
  const ys = plot.series.flatMap(({ points }) => points.map(([, y]) => y));
  const x = (plot.logarithmic === 'both' ? createLogScale : createLinearScale)(
    xs,
    LEFT,
    WIDTH - RIGHT,
  );
  const y = (plot.logarithmic === undefined ? createLinearScale : createLogScale)(
    ys,
    HEIGHT - BOTTOM,
    TOP,
  );
  const parts = [
    text(LEFT, 16, plot.title, 'font-weight="600"'),
    text(WIDTH - RIGHT, HEIGHT - 8, plot.xLabel, 'text-anchor="end"'),
    text(4, 34, plot.yLabel),
    ...y.ticks.map((tick) => renderGridLine(y.at(tick), tick)),
    ...x.ticks.map((tick) => text(x.at(tick), HEIGHT - 24, label(tick), 'text-anchor="middle"')),
    ...(plot.marks ?? []).map((mark, i) => renderMark(x.at(mark.x), mark.text, i)),
    ...plot.series.flatMap((series, i) => renderSeries(series, i, x, y)),
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    `aria-label="${escapeXml(plot.title)}" font-family="system-ui, sans-serif" font-size="12">` +
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>${parts.join('')}</svg>`
  );
}

interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Starts at 0, or at the lowest value if one is negative. */
function createLinearScale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.min(0, ...values);
  const step = roundUpStep((Math.max(low + 1e-9, ...values) - low) / 5);
  const steps = Math.max(1, Math.ceil((Math.max(...values, low) - low) / step));
  const high = low + step * steps;
  return {
    at: (value) => from + ((value - low) / (high - low)) * (to - from),
    ticks: Array.from({ length: steps + 1 }, (_, i) => low + i * step),
  };
}

function createLogScale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from),
    ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
  };
}

/** Rounds up to 1, 2 or 5 times a power of ten. */
function roundUpStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  return ([1, 2, 5].find((factor) => factor * power >= atLeast) ?? 10) * power;
}

function renderSeries({ name, points }: Series, index: number, x: Scale, y: Scale): string[] {
  const color = COLORS[index % COLORS.length] ?? '';
  const at = points.map(([px, py]) => `${x.at(px).toFixed(1)},${y.at(py).toFixed(1)}`);
  return [
    `<polyline fill="none" stroke="${color}" stroke-width="1.5" points="${at.join(' ')}"/>`,
    text(LEFT + 100 + 130 * index, 34, name, `fill="${color}"`),
  ];
}

function renderGridLine(at: number, tick: number): string {
  const line = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="#ddd"/>`;
  return line + text(LEFT - 6, at + 4, label(tick), 'text-anchor="end"');
}

/** Neighbouring marks have their names at different heights. */
function renderMark(at: number, name: string, index: number): string {
  const dashed = 'stroke="#999" stroke-dasharray="3 3"';
  const line = `<line x1="${at}" x2="${at}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" ${dashed}/>`;
  return line + text(at + 4, TOP + 10 + 12 * (index % 5), name, 'fill="#666" font-size="10"');
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escapeXml(content)}</text>`;
}

function label(tick: number): string {
  return Number(tick.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 3 });
}

/** Escapes text for an element or an attribute. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
