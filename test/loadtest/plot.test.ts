// Plots: the places of points, and the escaping of text.

import t from 'tap';
import { renderPlot, type LinePlot } from '../../src/loadtest/plot.js';

const PLOT: LinePlot = {
  ...{ title: 'a < "b"', xLabel: 'x', yLabel: 'y' },
  series: [
    {
      name: 'one',
      points: [
        [0, 0],
        [10, 100],
      ],
    },
  ],
  marks: [{ x: 5, text: 'here' }],
};

const points = (svg: string): number[][] =>
  (/points="([^"]*)"/.exec(svg)?.[1] ?? '').split(' ').map((pair) => pair.split(',').map(Number));

t.test('a linear plot starts at 0, and its points are at their values', async (t) => {
  const svg = renderPlot(PLOT);
  const [first, last] = points(svg);
  t.same(first, [64, 220]);
  t.same(last, [704, 46]);
  t.match(svg, 'x1="384" x2="384"', 'the mark is in the middle');
});

t.test('a logarithmic plot gives each power of ten the same space', async (t) => {
  const series = [{ name: 'one', points: [1, 10, 100].map((x) => [x, x] as const) }];
  const [first, second, third] = points(
    renderPlot({ ...PLOT, series, marks: [], logarithmic: 'both' }),
  );
  t.same(first, [64, 220]);
  t.same(second, [384, 133]);
  t.same(third, [704, 46]);
});

t.test('text is escaped, and a plot without points is valid', async (t) => {
  t.match(renderPlot(PLOT), 'aria-label="a &lt; &quot;b&quot;"');
  t.notMatch(renderPlot({ ...PLOT, series: [{ name: 'none', points: [] }] }), /NaN|Infinity/);
});
