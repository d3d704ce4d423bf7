// `If-Match` matches the named versions, every version with `*`, and no version with another tag.

import t from 'tap';
import { parsePrecondition } from '../../../../src/gateway/http/request/precondition.js';

for (const [header, matches] of [
  [undefined, true],
  ['*', true],
  [' * ', true],
  ['"17"', true],
  ['"16", "17"', true],
  ['"16","17","18"', true],
  ['', false],
  ['17', false],
  ["'17'", false],
  ['"017"', false],
  ['"1", "7"', false],
  ['"16"', false],
  ['"16" "17"', false],
  ['W/"17"', false], // RFC 9110 §13.1.1: the comparison is the strong one.
  ['"*"', false],
] as const) {
  t.test(`${header ?? 'no header'}: ${matches ? 'holds' : 'does not hold'} for 17`, async (t) => {
    t.equal(parsePrecondition({ 'if-match': header })(17), matches);
  });
}
