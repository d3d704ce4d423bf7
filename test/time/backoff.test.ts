// Backoff: the bound doubles with each failure up to the cap, and the pause is anywhere below it.

import t from 'tap';
import { chooseBackoffMs } from '../../src/time/backoff.js';

const BACKOFF = { baseMs: 100, capMs: 5_000 };

t.test('the bound doubles with each failure, up to the cap', async (t) => {
  const bounds = [0, 1, 2, 5, 6, 7, 2_000].map((failures) => chooseBackoffMs(BACKOFF, failures, 1));
  t.same(bounds, [100, 200, 400, 3_200, 5_000, 5_000, 5_000]);
});

t.test('chance alone decides between 0 and the bound', async (t) => {
  const pauses = [0, 0.25, 0.5].map((random) => chooseBackoffMs(BACKOFF, 1, random));
  t.same(pauses, [0, 50, 100]);
});
