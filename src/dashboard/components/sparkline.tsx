// A small plot of the last minutes. Screen readers read the current value beside it.

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { readTextColor } from '../theme.js';

interface Props {
  readonly name: string;
  readonly value: string;
  readonly kind: 'bars' | 'points';
  readonly tone: string;
  readonly data: [number[], (number | null)[]];
}

const HEIGHT_PX = 44;

export function Sparkline({ name, value, kind, tone, data }: Props): JSX.Element {
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  useEffect(() => {
    const element = container.current;
    if (element === null) return;
    const chart = new UPlot(createPlotOptions(kind, element), data, element);
    plot.current = chart;
    const resized = new ResizeObserver(() =>
      chart.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    resized.observe(element);
    return () => {
      resized.disconnect();
      chart.destroy();
    };
  }, [kind]);
  useEffect(() => plot.current?.setData(data), [data]);
  return (
    <figure class={`plot tone-${tone}`}>
      <figcaption>
        <span class="plot-name">{name}</span>
        <span class="plot-value">{value}</span>
      </figcaption>
      <div class="plot-place" ref={container} aria-hidden="true" />
      <span class="plot-span" aria-hidden="true">
        <span>3 min ago</span>
        <span>now</span>
      </span>
    </figure>
  );
}

/** Colours are read at each drawing, because the theme may have changed. */
function createPlotOptions(kind: Props['kind'], element: HTMLElement): UPlot.Options {
  const ink = (): string => readTextColor(element);
  const series: UPlot.Series =
    kind === 'bars'
      ? { fill: ink, width: 0, paths: barPaths, points: { show: false } }
      : { paths: () => null, points: { show: true, size: 4, width: 0, fill: ink, stroke: ink } };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    padding: [4, 2, 1, 2],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false },
      y: { range: (_plot, _least, most) => [0, Math.max(1, most) * 1.05] },
    },
    axes: [{ show: false }, { show: false }],
    series: [{}, series],
  };
}

const barPaths = UPlot.paths.bars?.({ size: [0.75, 6] }) ?? (() => null);
