// Tables as text: aligned by characters, with a heading in Markdown.

import t from 'tap';
import { alignCells, fitCells, formatMarkdownTable } from '../src/table.js';

t.test('columns are as wide as their widest cell, and a missing cell is empty', async (t) => {
  const lines = [['name', 'count'], ['vm-1', '7'], ['a longer name']];
  t.same(alignCells(lines, [false, true]), [
    ['name         ', 'count'],
    ['vm-1         ', '    7'],
    ['a longer name', '     '],
  ]);
});

t.test('a wide character fills two columns of a terminal', async (t) => {
  t.same(alignCells([['😀'], ['東京'], ['abc']], [false]), [['😀  '], ['東京'], ['abc ']]);
});

t.test('the widest columns are cut to the width of a terminal', async (t) => {
  const lines = [
    ['vm-1', 'a long sentence', '東京東京東京東京'],
    ['vm-2', 'short', ''],
  ];
  t.same(fitCells(lines, 30, 2), [
    ['vm-1', 'a long sen…', '東京東京東…'],
    ['vm-2', 'short', ''],
  ]);
  t.same(fitCells(lines, 100, 2), lines);
  t.same(fitCells(lines, 3, 2)[0], ['vm-1', 'a long …', '東京東…'], 'no column vanishes');
  t.same(fitCells([], 80, 2), []);
});

t.test('Markdown has a heading, and numbers to the right', async (t) => {
  const lines = formatMarkdownTable([
    ['measure', 'ms'],
    ['p99', '12.5'],
  ]);
  t.same(lines, ['| measure |   ms |', '| ------- | ---: |', '| p99     | 12.5 |']);
  t.same(formatMarkdownTable([]), ['|  |', '|  |']);
});
