// The position of a page as text: a formatted position is parsed back, and all other text is
// rejected.

import fc from 'fast-check';
import t from 'tap';
import { SORTS } from '../../../../src/gateway/database/vms.js';
import { formatPosition, parsePosition } from '../../../../src/gateway/http/request/position.js';

t.test('a formatted position is parsed back, for its own sort order only', async (t) => {
  for (const position of [
    { id: 0, time: undefined },
    { id: 2 ** 31 - 1, time: undefined },
    { id: 17, time: '2026-03-02T09:30:00.123456' },
    { id: 17, time: '2026-03-02T09:30:00' },
    { id: 17, time: '294276-12-31T23:59:59.999999' },
    { id: 17, time: '4713-01-01T00:00:00 BC' },
    { id: 17, time: 'infinity' },
    { id: 17, time: '-infinity' },
  ]) {
    const text = formatPosition(position);
    for (const sort of SORTS) {
      const fits = (sort === 'id') === (position.time === undefined);
      t.same(parsePosition(text, sort), fits ? position : null, `${text} in the order ${sort}`);
    }
  }
});

t.test('text that is not a position is rejected', async (t) => {
  for (const text of [
    ...['', ' ', '1 ', ' 1', '01', '-1', '+1', '1.5', '1e3', '0x1', 'x', '１', '1\n'],
    ...['2147483648', '9999999999', '99999999999', '1@', '@2026-03-02T09:30:00', '1@now'],
    ...['1@2026-03-02', '1@2026-03-02 09:30:00', '1@2026-03-02T09:30:00Z', '1@x@y'],
    ...['1@2026-03-02T09:30:00.1234567', "1@2026-03-02T09:30:00'; DROP TABLE vms; --"],
  ]) {
    for (const sort of SORTS) t.equal(parsePosition(text, sort), null, JSON.stringify(text));
  }
});

t.test('no text causes an error', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom(...SORTS), (text, sort) => {
      const position = parsePosition(text, sort);
      return position === null || formatPosition(position) === text;
    }),
  );
});
