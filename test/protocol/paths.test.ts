import fc from 'fast-check';
import t from 'tap';
import { decodeHostnameSegment, vmPath } from '../../src/protocol/paths.js';

/** Normalises a path as browsers and fetch do before they send it to a server. */
function splitPath(path: string): string[] {
  return new URL(path, 'http://gateway').pathname.split('/');
}

const dots = fc.stringMatching(/^~{0,3}\.{0,3}$/).filter((text) => text !== '');
const hostname = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 255, size: 'max' }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 255 }),
  fc.string({
    unit: fc.constantFrom('.', '~', '/', '%', '2', 'e', ' ', '"', '\\', '?', '#'),
    minLength: 1,
  }),
  dots,
);

t.test('every hostname has its own path, which every URL parser keeps', async (t) => {
  fc.assert(
    fc.property(hostname, (hostname) => {
      const segments = splitPath(vmPath(hostname));
      if (segments.length !== 4) throw new Error(`the path of ${hostname} has other segments`);
      const back = decodeHostnameSegment(decodeURIComponent(segments[3] ?? ''));
      if (back !== hostname) throw new Error(`${hostname} came back as ${back}`);
    }),
    { numRuns: 2_000 },
  );
  t.pass('none was found that does not come back');
});

t.test('two hostnames never share a path', async (t) => {
  const alike = [
    '.',
    '..',
    '~.',
    '~..',
    '~~.',
    '...',
    '~',
    '~~',
    '%2e',
    '%2E%2e',
    '~%2e',
    './',
    'a',
    'A',
    'a ',
    'a+',
  ];
  t.equal(new Set(alike.map(vmPath)).size, alike.length);
  for (const hostname of alike) {
    const last = splitPath(vmPath(hostname))[3] ?? '';
    t.equal(decodeHostnameSegment(decodeURIComponent(last)), hostname);
  }
});

t.test('the longest hostname, with the longest characters, has a path', async (t) => {
  const longest = '🧪'.repeat(255);
  const path = vmPath(longest);
  t.equal(path.length, '/v1/vms/'.length + 255 * 12);
  t.equal(decodeURIComponent(splitPath(path)[3] ?? ''), longest);
});

t.test('a lone surrogate, which PostgreSQL cannot store, has no path', async (t) => {
  t.throws(() => vmPath('\ud83e'), URIError);
});

t.test('only a hostname that looks like a step in the path is escaped', async (t) => {
  t.equal(vmPath('vm-1'), '/v1/vms/vm-1');
  t.equal(vmPath('a/b c'), '/v1/vms/a%2Fb%20c');
  t.equal(vmPath('.'), '/v1/vms/~.');
  t.equal(vmPath('..'), '/v1/vms/~..');
  t.equal(vmPath('~..'), '/v1/vms/~~..');
  t.equal(vmPath('...'), '/v1/vms/...');
  t.equal(vmPath('~a'), '/v1/vms/~a');
});

t.test('a client that does not normalise paths may send the dots unescaped', async (t) => {
  t.equal(decodeHostnameSegment('.'), '.');
  t.equal(decodeHostnameSegment('..'), '..');
});
