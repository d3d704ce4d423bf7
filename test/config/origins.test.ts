// Origins must be written as browsers send them, because any other spelling would never match.

import t from 'tap';
import { parseOrigins } from '../../src/config/origins.js';

t.test('origins are separated by commas, and duplicates are removed', async (t) => {
  t.strictSame(parseOrigins(''), []);
  t.strictSame(parseOrigins('https://lab.example.org, http://localhost:5173,http://[::1]:8080'), [
    'https://lab.example.org',
    'http://localhost:5173',
    'http://[::1]:8080',
  ]);
  t.strictSame(parseOrigins('https://a.example,https://a.example'), ['https://a.example']);
});

t.test('text that no browser sends as an origin is rejected', async (t) => {
  for (const text of [
    '*',
    'null',
    'lab.example.org',
    'https://',
    'https://*.example.org',
    'https://lab.example.org/',
    'https://lab.example.org/page',
    'https://LAB.example.org',
    'https://lab.example.org:443',
    'http://lab.example.org:80',
    'https://user@lab.example.org',
    'https://lab.example.org?x',
    'wss://lab.example.org',
    'file:///index.html',
    'https://a.example,',
    'https://a.example,,https://b.example',
    ' ',
  ]) {
    t.equal(parseOrigins(text), undefined, text);
  }
});
