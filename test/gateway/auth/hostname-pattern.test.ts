// The patterns of enrolment tokens, beside the same pattern as a regular expression.

import fc from 'fast-check';
import t from 'tap';
import { matchesPattern } from '../../../src/gateway/auth/hostname-pattern.js';

t.test('a star stands for any characters, and everything else for itself', async (t) => {
  const short = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
  fc.assert(
    fc.property(short, short, (pattern, hostname) => {
      const source = pattern.replaceAll('.', '\\.').replaceAll('*', '.*');
      return matchesPattern(pattern, hostname) === new RegExp(`^${source}$`).test(hostname);
    }),
    { numRuns: 5_000 },
  );
  t.equal(matchesPattern('lab-*', 'lab-1'), true);
  t.equal(matchesPattern('lab-*', 'Lab-1'), false);
  t.equal(matchesPattern('*', ''), true);
});
