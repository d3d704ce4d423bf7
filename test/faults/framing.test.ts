// Some seconds of hostile HTTP/1.1; `test/faults/framing.ts` goes on for minutes.

import t from 'tap';
import { attackFraming } from './framing-run.js';

const ATTACKS = 1_500;
const SEED = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31);

t.test('no framing of HTTP smuggles, fills the memory or leaves anything open', async (t) => {
  t.comment(`seed ${SEED}: TEST_SEED=${SEED} repeats it`);
  const result = await attackFraming(t, SEED, (attacks) => attacks >= ATTACKS);
  t.same(result.faults, [], JSON.stringify(result));
});
