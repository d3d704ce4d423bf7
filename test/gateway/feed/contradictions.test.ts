// Forged notifications are logged once a minute at most, however many a role sends.

import t from 'tap';
import { Contradictions } from '../../../src/gateway/feed/contradictions.js';

t.test('the first is logged at once, the others as a count a minute later', async (t) => {
  let nowMs = 5;
  const logged: unknown[] = [];
  const warn = (fields: unknown): void => void logged.push(fields);
  const contradictions = new Contradictions({ warn }, () => nowMs);
  contradictions.record('a');
  for (let n = 0; n < 10; n++) contradictions.record('b');
  t.same(logged, [{ hostname: 'a', notifications: 1 }]);
  nowMs += 60_000;
  contradictions.record('c');
  t.same(logged[1], { hostname: 'c', notifications: 11 });
});
