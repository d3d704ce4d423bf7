// Tables as text: aligned by characters, with a heading in Markdown.

import t from 'tap';
import { alignCells, formatMarkdownTable } from '../src/table.js';

t.test('columns are as wide as their widest cell, and a missing cell is empty', async (t) => {
  const lines = [['name', 'count'], ['vm-1', '7'], ['a longer name']];
  t.same(alignCells(lines, [false, true]), [
    ['name         ', 'count'],
    ['vm-1         ', '    7'],
    ['a longer name', '     '],
  ]);
});

t.test('a character outside the basic plane is one character wide', async (t) => {
  t.same(alignCells([['😀'], ['ab']], [false]), [['😀 '], ['ab']]);
});

t.test('Markdown has a heading, and numbers to the right', async (t) => {
  const lines = formatMarkdownTable([
    ['measure', 'ms'],
    ['p99', '12.5'],
  ]);
  t.same(lines, ['| measure |   ms |', '| ------- | ---: |', '| p99     | 12.5 |']);
  t.same(formatMarkdownTable([]), ['|  |', '|  |']);
});
