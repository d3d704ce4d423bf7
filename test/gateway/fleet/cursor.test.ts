import fc from 'fast-check';
import t from 'tap';
import { formatCursor, parseCursor } from '../../../src/gateway/fleet/cursor.js';

t.test('a cursor is an epoch and an offset', async (t) => {
  t.equal(formatCursor('b7e1', 42), 'b7e1.42');
  t.same(parseCursor('b7e1.42'), { epoch: 'b7e1', offset: 42 });
  t.same(parseCursor('A_z-9.0'), { epoch: 'A_z-9', offset: 0 });
});

t.test('every formatted cursor is parsed to the same position', async (t) => {
  const epoch = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  const offset = fc.maxSafeNat();
  fc.assert(
    fc.property(epoch, offset, (epoch, offset) => {
      t.same(parseCursor(formatCursor(epoch, offset)), { epoch, offset });
    }),
  );
});

t.test('malformed text is no cursor', async (t) => {
  const malformed = {
    nothing: '',
    'no offset': 'epoch',
    'an empty offset': 'epoch.',
    'no epoch': '.5',
    'a negative offset': 'epoch.-1',
    'a fraction': 'epoch.1.5',
    'a leading zero': 'epoch.01',
    'an exponent': 'epoch.1e3',
    'a space': 'epoch. 1',
    'a line break at the end': 'epoch.1\n',
    'an offset beyond what a number holds': 'epoch.9007199254740992',
    'too many digits': 'epoch.10000000000000000',
    'an epoch that is too long': `${'e'.repeat(65)}.1`,
    'an epoch with other characters': 'é.1',
    'a quote': 'a".1',
  };
  for (const [description, text] of Object.entries(malformed))
    t.equal(parseCursor(text), undefined, description);
});
