// A bounded part of the work begins in each turn of the event loop, in order, and all of it in the
// end.

import t from 'tap';
import { LoopShare } from '../../../../src/gateway/http/limits/loop-share.js';
import { until } from '../../../helpers/until.js';

t.test(
  'work begins at once while there is room, the rest over later turns, in order',
  async (t) => {
    const share = new LoopShare(2);
    const begun: number[] = [];
    for (let n = 0; n < 5; n++) share.begin('request', () => begun.push(n));
    t.same(begun, [0, 1]);
    t.notOk(share.hasRoom('request'));
    const perTurn: number[] = [];
    while (begun.length < 5) {
      const before = begun.length;
      await new Promise(setImmediate);
      perTurn.push(begun.length - before);
    }
    t.ok(Math.max(...perTurn) <= 2);
    t.same(begun, [0, 1, 2, 3, 4]);
    await until('there is room again', () => share.hasRoom('request'));
  },
);

t.test('work that begins other work does not take more than its share', async (t) => {
  const share = new LoopShare(2);
  let begun = 0;
  const again = (): void => {
    if (++begun < 20) share.begin('upgrade', again);
  };
  share.begin('upgrade', again);
  t.equal(begun, 2);
  const seen: number[] = [];
  while (begun < 20) {
    const before = begun;
    await new Promise(setImmediate);
    seen.push(begun - before);
  }
  t.ok(Math.max(...seen) <= 2);
});

t.test('a request does not wait behind all upgrades', async (t) => {
  const share = new LoopShare(4);
  const begun: string[] = [];
  for (let n = 0; n < 100; n++) share.begin('upgrade', () => begun.push('upgrade'));
  for (let n = 0; n < 3; n++) share.begin('request', () => begun.push('request'));
  await until('all have begun', () => begun.length === 103);
  const last = begun.lastIndexOf('request');
  t.ok(last < 12, 'two in each turn');
  await until('there is room again', () => share.hasRoom('upgrade') && share.hasRoom('request'));
});
