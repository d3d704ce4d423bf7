// What a change means for person and command, for every kind of row and every kind of change.

import fc from 'fast-check';
import t from 'tap';
import {
  judge,
  STATUSES,
  type Change,
  type Current,
} from '../../../src/gateway/database/judgement.js';

const NOTHING: Change = {
  status: undefined,
  email: undefined,
  crdCommand: undefined,
  reassign: false,
};
const free: Current = { status: 'available', email: null, crdCommand: null };
const adas: Current = { status: 'in-use', email: 'ada@x.y', crdCommand: 'run ada' };
const judged = (current: Current, change: Partial<Change>) =>
  judge(current, { ...NOTHING, ...change });

t.test('in-use needs a person, and takes her command or none', async (t) => {
  t.match(judged(free, { status: 'in-use' }), { refused: 'contradiction', why: /email/ });
  t.match(judged(adas, { status: 'in-use' }), { refused: 'contradiction' });
  const email = 'bob@x.y';
  const given = { status: 'in-use', email, crdCommand: 'run' };
  t.same(judged(free, { status: 'in-use', email, crdCommand: 'run' }), given);
  t.same(judged(free, { status: 'in-use', email }), { ...given, crdCommand: null });
  t.same(judged(free, { status: 'in-use', email, crdCommand: null }), {
    ...given,
    crdCommand: null,
  });
});

t.test('a VM is taken from another person only when that is asked for', async (t) => {
  const email = 'bob@x.y';
  for (const change of [{ email }, { status: 'in-use', email } as const]) {
    t.same(judged(adas, change), { refused: 'another-person' });
    const taken = { status: 'in-use', email, crdCommand: null };
    t.same(judged(adas, { ...change, reassign: true }), taken, 'without the last command');
    const withCommand = { ...change, crdCommand: 'run bob', reassign: true };
    t.same(judged(adas, withCommand), { ...taken, crdCommand: 'run bob' });
  }
  const failed = { ...adas, status: 'failed' };
  t.same(judged(failed, { status: 'in-use', email }), { refused: 'another-person' });
  const own = { status: 'in-use', email: 'ada@x.y' } as const;
  t.same(judged(failed, own), { ...own, crdCommand: null }, 'her own may be given back to her');
});

t.test('available lets go of everything, and goes with nothing else', async (t) => {
  for (const current of [free, adas, { ...adas, status: 'failed' }, { ...free, status: 'odd' }]) {
    t.same(judged(current, { status: 'available' }), free);
    t.same(judged(current, { status: 'available', crdCommand: null }), free);
  }
  t.match(judged(adas, { status: 'available', email: 'a@b.c' }), { refused: 'contradiction' });
  t.match(judged(adas, { status: 'available', crdCommand: '' }), { refused: 'contradiction' });
});

t.test('failed keeps who had it and what it ran', async (t) => {
  t.same(judged(adas, { status: 'failed' }), { ...adas, status: 'failed' });
  t.same(judged(free, { status: 'failed' }), { ...free, status: 'failed' });
  t.match(judged(adas, { status: 'failed', email: 'ada@x.y' }), { refused: 'contradiction' });
  t.match(judged(adas, { status: 'failed', crdCommand: 'x' }), { refused: 'contradiction' });
});

t.test('without a status, only what is in use has a person and a command to change', async (t) => {
  for (const status of ['available', 'failed', 'odd']) {
    for (const change of [{ email: 'a@b.c' }, { crdCommand: 'x' }, { crdCommand: null }, {}]) {
      t.same(judged({ ...adas, status }, change), { refused: 'not-in-use' });
    }
  }
  t.same(judged(adas, { crdCommand: 'next' }), { ...adas, crdCommand: 'next' });
  t.same(judged(adas, { crdCommand: null }), { ...adas, crdCommand: null });
  t.same(judged(adas, { email: 'ada@x.y' }), adas, 'the same person keeps her command');
  t.same(judged(adas, { email: 'ada@x.y', crdCommand: 'n' }), { ...adas, crdCommand: 'n' });
  t.same(judged(adas, { reassign: true }), adas);
  const nobodys = { ...adas, email: null };
  const bobs = { status: 'in-use', email: 'bob@x.y', crdCommand: null };
  t.same(judged(nobodys, { email: 'bob@x.y' }), bobs, 'a VM in use by nobody is free to take');
});

const email = fc.constantFrom('ada@x.y', 'bob@x.y', 'cy@x.y');
const command = fc.option(fc.constantFrom('run ada', 'run bob', ''), { nil: null });
const status = fc.constantFrom(...STATUSES);
const anyRow: fc.Arbitrary<Current> = fc.record({
  status: fc.oneof(status, fc.constant('odd')),
  email: fc.option(email, { nil: null }),
  crdCommand: command,
});
const anyChange: fc.Arbitrary<Change> = fc.record({
  status: fc.option(status, { nil: undefined }),
  email: fc.option(email, { nil: undefined }),
  crdCommand: fc.option(command, { nil: undefined }),
  reassign: fc.boolean(),
});

t.test('another person never gets the last one’s command', async () => {
  fc.assert(
    fc.property(anyRow, anyChange, (current, change) => {
      const now = judge(current, change);
      if ('refused' in now || now.email === current.email) return true;
      return now.crdCommand === (change.crdCommand ?? null);
    }),
    { numRuns: 5_000 },
  );
});

t.test('nobody loses a VM to another unless that is asked for', async () => {
  fc.assert(
    fc.property(anyRow, anyChange, (current, change) => {
      const now = judge(current, { ...change, reassign: false });
      if ('refused' in now || current.email === null) return true;
      return now.email === current.email || (now.email === null && now.status === 'available');
    }),
    { numRuns: 5_000 },
  );
});

t.test('what is in use by asking has a person, and what is available has none', async () => {
  fc.assert(
    fc.property(anyRow, anyChange, (current, change) => {
      const now = judge(current, change);
      if ('refused' in now || change.status === undefined) return true;
      if (now.status === 'available') return now.email === null && now.crdCommand === null;
      return now.status !== 'in-use' || now.email === change.email;
    }),
    { numRuns: 5_000 },
  );
});
