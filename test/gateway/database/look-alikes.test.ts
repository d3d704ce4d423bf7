// Hostnames whose letters look like those of another hostname.

import t from 'tap';
import { looksLikeAnother } from '../../../src/gateway/database/look-alikes.js';

t.test('a hostname of one script is not mistaken', async (t) => {
  for (const hostname of [
    ...['vm-1', 'VM_1.lab', 'émile-ß-ø', '100%', '...', '', '😀', 'a/b?c#d', "it's"],
    ...['лаборатория-1', 'εργαστήριο', 'מעבדה-3', 'مختبر', 'प्रयोगशाला', 'ห้องแล็บ', 'ლაბორატორია'],
    ...['実験室-ラボ', 'ラーメン', '实验室', '실험실', 'vm-é-日本', 'lab-실험', 'ꦭꦧ'],
  ])
    t.notOk(looksLikeAnother(hostname), hostname);
});

t.test('letters of several scripts are', async (t) => {
  for (const hostname of [
    ...['vm-\u0430', '\u0475m-1', 'l\u0430b', 'VM-\u0410', '\u03BFne', 'la\u0431', '\u13A0b'],
    ...['\u0430\u03BF', 'лабo', 'лаб-实验', 'vm-\u0561', 'vm-\uA9A6'],
  ])
    t.ok(looksLikeAnother(hostname), hostname);
});

t.test('other forms of the same letters are', async (t) => {
  for (const hostname of [
    '\uFF56\uFF4D-1',
    '\u{1D42F}m',
    'v\u2098',
    '\uFB01x',
    'cafe\u0301',
    'vm-\u2460',
  ])
    t.ok(looksLikeAnother(hostname), hostname);
});

t.test('words of Cyrillic or Greek letters that all look Latin are', async (t) => {
  for (const hostname of ['\u0430\u0441\u0435-1', '\u0410\u0421\u0415', '\u03BF', '\u0440\u0441-7'])
    t.ok(looksLikeAnother(hostname), hostname);
  t.notOk(looksLikeAnother('щука-1'), 'one letter that does not is enough');
});
