// An element that cannot be processed is found, and the others are processed, in few statements.

import t from 'tap';
import { isElementError, processInHalves } from '../../src/postgres/isolate.js';

const withCode = (code: string) => Object.assign(new Error(code), { code });

t.test('each bad element is rejected alone, and the others are processed', async (t) => {
  const elements = Array.from({ length: 1_000 }, (_, n) => n);
  const bad = new Set([0, 499, 500, 999]);
  let statements = 0;
  const process = async (some: readonly number[]): Promise<readonly number[]> => {
    statements++;
    if (some.some((n) => bad.has(n))) throw withCode('22P05');
    return some;
  };
  const rejected: number[] = [];
  const done = await processInHalves(elements, process, (n) => rejected.push(n));
  t.same(rejected, [...bad]);
  t.same(
    done.flat(),
    elements.filter((n) => !bad.has(n)),
  );
  t.ok(statements < 100, `${statements} statements`);
  t.same(await processInHalves([], process, () => t.fail('nothing to reject')), []);
});

t.test('an error of the server ends it', async (t) => {
  const process = () => Promise.reject(withCode('57P01'));
  const reject = () => t.fail('no element is the cause');
  await t.rejects(processInHalves([1, 2], process, reject), { code: '57P01' });
});

t.test('only values and constraints are errors of an element', async (t) => {
  for (const code of ['22021', '22P05', '23514', 'P0001'])
    t.ok(isElementError(withCode(code)), code);
  for (const code of ['08006', '25006', '40001', '42501', '53300', '55P03', '57014', 'XX000'])
    t.notOk(isElementError(withCode(code)), code);
  t.notOk(isElementError(new Error('22021')));
});
