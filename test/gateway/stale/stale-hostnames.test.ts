// Nothing that is stale is forgotten, however its reads end.

import t from 'tap';
import { StaleHostnames } from '../../../src/gateway/stale/stale-hostnames.js';

/** A set from which the first read, of everything, has been taken. */
function takenOnce(maxHostnames?: number): StaleHostnames {
  const stale = new StaleHostnames(maxHostnames);
  stale.take();
  return stale;
}

t.test('at first everything is stale, and a read takes it out', async (t) => {
  const stale = new StaleHostnames();
  t.equal(stale.count, undefined);
  t.same(stale.take(), { kind: 'all' });
  t.equal(stale.count, 0);
  t.equal(stale.take(), undefined);
});

t.test('a hostname is read once, in the order in which it became stale', async (t) => {
  const stale = takenOnce();
  for (const hostname of ['b', 'a', 'b']) stale.add(hostname);
  t.equal(stale.count, 2);
  t.same(stale.take(), { kind: 'rows', hostnames: ['b', 'a'] });
  t.equal(stale.take(), undefined);
});

t.test('a hostname that is added while it is read stays stale', async (t) => {
  const stale = takenOnce();
  stale.add('a');
  stale.take();
  stale.add('a');
  t.same(stale.take(), { kind: 'rows', hostnames: ['a'] });
});

t.test('one read takes a thousand hostnames', async (t) => {
  const stale = takenOnce();
  for (let n = 0; n < 1_001; n++) stale.add(`vm-${n}`);
  const first = stale.take();
  t.equal(first?.kind === 'rows' && first.hostnames.length, 1_000);
  t.same(stale.take(), { kind: 'rows', hostnames: ['vm-1000'] });
});

t.test('a full read includes the single hostnames', async (t) => {
  const stale = takenOnce();
  stale.add('a');
  stale.addAll();
  t.same(stale.take(), { kind: 'all' });
  t.equal(stale.take(), undefined);
});

t.test('above its maximum of hostnames everything is stale', async (t) => {
  const stale = takenOnce(2);
  for (const hostname of ['a', 'b']) stale.add(hostname);
  t.equal(stale.count, 2);
  stale.add('c');
  t.same(stale.take(), { kind: 'all' });
});

t.test('a read that is restored is stale again', async (t) => {
  const stale = takenOnce();
  stale.restore({ kind: 'rows', hostnames: ['a', 'b'] });
  t.same(stale.take(), { kind: 'rows', hostnames: ['a', 'b'] });
  stale.restore({ kind: 'all' });
  t.same(stale.take(), { kind: 'all' });
});
