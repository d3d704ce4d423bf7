// Payloads of `vm_presence` hold every hostname once, and are never too large for PostgreSQL.

import fc from 'fast-check';
import t from 'tap';
import { parsePresence } from '../../../src/gateway/feed/notification.js';
import { formatPayloads } from '../../../src/gateway/presence/payloads.js';

t.test('any hostnames come back, in order, from payloads under 8,000 bytes', async (t) => {
  const hostname = fc
    .tuple(fc.string({ unit: 'binary', maxLength: 8 }), fc.nat({ max: 255 }))
    .filter(([text]) => !text.includes('\0'))
    .map(([text, length]) => text.repeat(64).slice(0, length));
  fc.assert(
    fc.property(fc.array(hostname, { maxLength: 60 }), (hostnames) => {
      const payloads = formatPayloads(hostnames);
      const read = payloads.flatMap((payload) => parsePresence(payload));
      const fits = payloads.every((payload) => Buffer.byteLength(payload) < 8_000);
      return fits && JSON.stringify(read) === JSON.stringify(hostnames);
    }),
    { numRuns: 20 },
  );
  t.pass();
});

t.test('ten thousand agents are a few notifications', async (t) => {
  const hostnames = Array.from({ length: 10_000 }, (_, n) => `vm-${String(n).padStart(5, '0')}`);
  t.ok(formatPayloads(hostnames).length <= 16);
  t.same(formatPayloads([]), []);
});
