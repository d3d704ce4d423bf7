// A single read at a time until nothing is stale; a failed read is repeated, an aborted one is
// ignored.

import t, { type Test } from 'tap';
import { ReadLoop } from '../../../src/gateway/stale/read-loop.js';
import { StaleHostnames, type ReadRequest } from '../../../src/gateway/stale/stale-hostnames.js';
import { until } from '../../helpers/until.js';

interface SentRead {
  readonly request: ReadRequest;
  readonly signal: AbortSignal;
  readonly answer: (text: string) => void;
  readonly fail: (error: Error) => void;
}

/** A loop whose reads wait for the test. */
function scriptLoop(t: Test) {
  const stale = new StaleHostnames();
  const reads: SentRead[] = [];
  const log = { finished: [] as string[], failed: [] as unknown[], done: 0 };
  const seam = { finish: (text: string): unknown => log.finished.push(text) };
  const loop = new ReadLoop<string>(
    {
      begin: () => stale.take(),
      read: (request, signal) =>
        new Promise((answer, fail) => reads.push({ request, signal, answer, fail })),
      finish: (_, text) => void seam.finish(text),
      abandon: (request) => stale.restore(request),
      failed: (error) => log.failed.push(error),
      done: () => log.done++,
    },
    { gapMs: 0, retryMs: 1 },
  );
  t.teardown(() => loop.abort());
  const nextRead = (): Promise<SentRead> => until('a read is sent', () => reads.shift());
  return { stale, loop, reads, log, seam, nextRead };
}

t.test('it reads until nothing is stale, one read at a time', async (t) => {
  const { stale, loop, reads, log, nextRead } = scriptLoop(t);
  loop.start();
  loop.start();
  t.equal(reads.length, 1);
  const first = await nextRead();
  stale.add('a');
  first.answer('first');
  (await nextRead()).answer('second');
  await until('it is done', () => log.done === 1);
  t.same(log.finished, ['first', 'second']);
  stale.add('b');
  loop.start();
  t.same((await nextRead()).request, { kind: 'rows', hostnames: ['b'] }, 'it can start again');
});

t.test('a read that fails, or whose result cannot be applied, is repeated', async (t) => {
  const { loop, log, seam, nextRead } = scriptLoop(t);
  const [refused, bug] = [new Error('refused'), new Error('a bug')];
  loop.start();
  (await nextRead()).fail(refused);
  seam.finish = () => {
    seam.finish = (text) => log.finished.push(text);
    throw bug;
  };
  (await nextRead()).answer('not applied');
  const third = await nextRead();
  t.same(third.request, { kind: 'all' });
  third.answer('applied');
  await until('it is done', () => log.done === 1);
  t.same(log.failed, [refused, bug]);
  t.same(log.finished, ['applied']);
});

t.test('after an abort the result is ignored, and another run can begin at once', async (t) => {
  const { stale, loop, log, nextRead } = scriptLoop(t);
  loop.start();
  const aborted = await nextRead();
  loop.abort();
  t.ok(aborted.signal.aborted);
  stale.addAll();
  loop.start();
  const next = await nextRead();
  aborted.answer('too late');
  await new Promise(setImmediate);
  t.same(log.finished, []);
  next.answer('in time');
  await until('it is done', () => log.done === 1);
  t.same(log.finished, ['in time']);
});

t.test('a failure after an abort is not reported', async (t) => {
  const { loop, log, nextRead } = scriptLoop(t);
  loop.start();
  const aborted = await nextRead();
  loop.abort();
  aborted.fail(new Error('the connection was dropped'));
  await new Promise(setImmediate);
  t.same(log.failed, []);
  t.equal(log.done, 0);
});

t.test('a step that throws ends the run, and the next start begins another', async (t) => {
  const failed: unknown[] = [];
  const bug = new Error('a bug');
  const steps = {
    begin: (): ReadRequest | undefined => {
      throw bug;
    },
    read: async () => '',
    finish: () => undefined,
    abandon: () => undefined,
    failed: (error: unknown) => failed.push(error),
  };
  const loop = new ReadLoop<string>(steps, { gapMs: 0, retryMs: 0 });
  for (const count of [1, 2]) {
    loop.start();
    await until('it is reported', () => failed.length === count);
  }
  t.same(failed, [bug, bug]);
});
