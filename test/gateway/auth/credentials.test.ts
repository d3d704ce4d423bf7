// Reading the token of a request.

import t from 'tap';
import { readToken } from '../../../src/gateway/auth/credentials.js';

t.test('reads the Authorization header, with its scheme in upper or lower case', async (t) => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    t.equal(readToken({ authorization: `${scheme} a.b-c_d.e` }), 'a.b-c_d.e');
  }
  t.equal(readToken({ authorization: 'Bearer   a.b.c' }), 'a.b.c');
});

t.test('reads the subprotocol of a browser, anywhere in the list', async (t) => {
  const offered = (offers: string) => readToken({ 'sec-websocket-protocol': offers });
  t.equal(offered('lablink.v1, bearer.a.b.c'), 'a.b.c');
  t.equal(offered('bearer.a.b.c,lablink.v1'), 'a.b.c');
  t.equal(offered('bearer.,bearer.a.b.c'), 'a.b.c');
  t.equal(offered('lablink.v1'), undefined);
  t.equal(offered('bearer.'), undefined);
  t.equal(offered('Bearer a.b.c'), undefined);
  t.equal(offered('xbearer.a.b.c'), undefined);
});

t.test(
  'the header has precedence over the subprotocol, unless it has another scheme',
  async (t) => {
    const offer = { 'sec-websocket-protocol': 'bearer.offered' };
    t.equal(readToken({ ...offer, authorization: 'Bearer header' }), 'header');
    t.equal(readToken({ ...offer, authorization: 'Basic dXNlcjpwYXNz' }), 'offered');
  },
);

t.test('ignores text that is not a token', async (t) => {
  t.equal(readToken({}), undefined);
  for (const authorization of [
    '',
    'Bearer',
    'Bearer ',
    'a.b.c',
    'Basic a.b.c',
    'Bearer a b',
    'Bearer a,b',
    'Bearer\ta',
    'Bearera.b.c',
    'Bearer a\0b',
    'Bearer ä',
  ]) {
    t.equal(readToken({ authorization }), undefined, JSON.stringify(authorization));
  }
});

t.test('reads a huge header without delay', async (t) => {
  t.equal(readToken({ authorization: `Bearer ${' '.repeat(100_000)}` }), undefined);
  t.equal(readToken({ authorization: `Bearer ${'='.repeat(100_000)}x` }), undefined);
  t.equal(readToken({ 'sec-websocket-protocol': ','.repeat(100_000) }), undefined);
});
