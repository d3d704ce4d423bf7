// `If-Match` matches the named versions, every version with `*`, and no version with another tag.
// `If-None-Match` compares weakly.

import t from 'tap';
import {
  isNotModified,
  parsePrecondition,
} from '../../../../src/gateway/http/request/precondition.js';

const INVALID = 'is invalid';

for (const [header, matches] of [
  [undefined, true],
  ['*', true],
  [' * ', true],
  ['"17"', true],
  ['"16", "17"', true],
  ['"16","17","18"', true],
  ['"16",, "17",', true],
  ['"a,b", "17"', true],
  ['"017"', false],
  ['"1,7"', false],
  ['"16"', false],
  ['W/"17"', false], // RFC 9110 §13.1.1: the comparison is the strong one.
  ['W/"17", "17"', true],
  ['"17-gzip"', false],
  ['"*"', false],
  ['', INVALID],
  ['17', INVALID],
  ["'17'", INVALID],
  ['"1, "7"', INVALID],
  ['"1, 7"', INVALID],
  ['"16" "17"', INVALID],
  ['w/"17"', INVALID],
  ['*, "17"', INVALID],
] as const) {
  t.test(`If-Match ${header ?? 'missing'}: ${String(matches)} for 17`, async (t) => {
    t.equal(parsePrecondition({ 'if-match': header })?.(17) ?? INVALID, matches);
  });
}

for (const [header, isSame] of [
  [undefined, false],
  ['*', true],
  ['"17"', true],
  ['W/"17"', true],
  ['"16", W/"17"', true],
  ['"16"', false],
  ['"17-gzip"', false],
  ['17', false],
] as const) {
  t.test(`If-None-Match ${header ?? 'missing'}: ${isSame} for 17`, async (t) => {
    t.equal(isNotModified({ 'if-none-match': header }, 17), isSame);
  });
}
