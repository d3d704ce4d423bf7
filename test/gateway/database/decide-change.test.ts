// The decision about person and command, for every type of row and change.

import fc from 'fast-check';
import t from 'tap';
import {
  decideChange,
  SETTABLE_STATUSES,
  type VmChange,
  type VmValues,
} from '../../../src/gateway/database/decide-change.js';

const NOTHING: VmChange = {
  status: undefined,
  email: undefined,
  crdCommand: undefined,
  reassign: false,
};
const free: VmValues = { status: 'available', email: null, crdCommand: null };
const adas: VmValues = { status: 'in-use', email: 'ada@x.y', crdCommand: 'run ada' };
const decide = (current: VmValues, change: Partial<VmChange>) =>
  decideChange(current, { ...NOTHING, ...change });

t.test('in-use needs a person, and sets their command or none', async (t) => {
  t.match(decide(free, { status: 'in-use' }), { rejected: 'contradiction', why: /email/ });
  t.match(decide(adas, { status: 'in-use' }), { rejected: 'contradiction' });
  const email = 'bob@x.y';
  const given = { status: 'in-use', email, crdCommand: 'run' };
  t.same(decide(free, { status: 'in-use', email, crdCommand: 'run' }), given);
  t.same(decide(free, { status: 'in-use', email }), { ...given, crdCommand: null });
  t.same(decide(free, { status: 'in-use', email, crdCommand: null }), {
    ...given,
    crdCommand: null,
  });
});

t.test('a VM is taken from another person only with reassign', async (t) => {
  const email = 'bob@x.y';
  for (const change of [{ email }, { status: 'in-use', email } as const]) {
    t.same(decide(adas, change), { rejected: 'another-person' });
    const taken = { status: 'in-use', email, crdCommand: null };
    t.same(decide(adas, { ...change, reassign: true }), taken, 'without the last command');
    const withCommand = { ...change, crdCommand: 'run bob', reassign: true };
    t.same(decide(adas, withCommand), { ...taken, crdCommand: 'run bob' });
  }
  const failed = { ...adas, status: 'failed' };
  t.same(decide(failed, { status: 'in-use', email }), { rejected: 'another-person' });
  const own = { status: 'in-use', email: 'ada@x.y' } as const;
  t.same(decide(failed, own), { ...own, crdCommand: null }, 'her own may be given back to her');
});

t.test('available removes person and command, and allows no other value', async (t) => {
  for (const current of [free, adas, { ...adas, status: 'failed' }, { ...free, status: 'odd' }]) {
    t.same(decide(current, { status: 'available' }), free);
    t.same(decide(current, { status: 'available', crdCommand: null }), free);
  }
  t.match(decide(adas, { status: 'available', email: 'a@b.c' }), { rejected: 'contradiction' });
  t.match(decide(adas, { status: 'available', crdCommand: '' }), { rejected: 'contradiction' });
});

t.test('failed keeps the person and the command', async (t) => {
  t.same(decide(adas, { status: 'failed' }), { ...adas, status: 'failed' });
  t.same(decide(free, { status: 'failed' }), { ...free, status: 'failed' });
  t.match(decide(adas, { status: 'failed', email: 'ada@x.y' }), { rejected: 'contradiction' });
  t.match(decide(adas, { status: 'failed', crdCommand: 'x' }), { rejected: 'contradiction' });
});

t.test('without a status, only a VM in use can change its person and command', async (t) => {
  for (const status of ['available', 'failed', 'odd']) {
    for (const change of [{ email: 'a@b.c' }, { crdCommand: 'x' }, { crdCommand: null }, {}]) {
      t.same(decide({ ...adas, status }, change), { rejected: 'not-in-use' });
    }
  }
  t.same(decide(adas, { crdCommand: 'next' }), { ...adas, crdCommand: 'next' });
  t.same(decide(adas, { crdCommand: null }), { ...adas, crdCommand: null });
  t.same(decide(adas, { email: 'ada@x.y' }), adas, 'the same person keeps her command');
  t.same(decide(adas, { email: 'ada@x.y', crdCommand: 'n' }), { ...adas, crdCommand: 'n' });
  t.same(decide(adas, { reassign: true }), adas);
  const nobodys = { ...adas, email: null };
  const bobs = { status: 'in-use', email: 'bob@x.y', crdCommand: null };
  t.same(decide(nobodys, { email: 'bob@x.y' }), bobs, 'a VM in use by nobody is free to take');
});

const email = fc.constantFrom('ada@x.y', 'bob@x.y', 'cy@x.y');
const command = fc.option(fc.constantFrom('run ada', 'run bob', ''), { nil: null });
const status = fc.constantFrom(...SETTABLE_STATUSES);
const anyRow: fc.Arbitrary<VmValues> = fc.record({
  status: fc.oneof(status, fc.constant('odd')),
  email: fc.option(email, { nil: null }),
  crdCommand: command,
});
const anyChange: fc.Arbitrary<VmChange> = fc.record({
  status: fc.option(status, { nil: undefined }),
  email: fc.option(email, { nil: undefined }),
  crdCommand: fc.option(command, { nil: undefined }),
  reassign: fc.boolean(),
});

t.test('another person never gets the previous command', async () => {
  fc.assert(
    fc.property(anyRow, anyChange, (current, change) => {
      const now = decideChange(current, change);
      if ('rejected' in now || now.email === current.email) return true;
      return now.crdCommand === (change.crdCommand ?? null);
    }),
    { numRuns: 5_000 },
  );
});

t.test('no person loses their VM without reassign', async () => {
  fc.assert(
    fc.property(anyRow, anyChange, (current, change) => {
      const now = decideChange(current, { ...change, reassign: false });
      if ('rejected' in now || current.email === null) return true;
      return now.email === current.email || (now.email === null && now.status === 'available');
    }),
    { numRuns: 5_000 },
  );
});

t.test('a VM that is set to in-use has a person, and an available VM has none', async () => {
  fc.assert(
    fc.property(anyRow, anyChange, (current, change) => {
      const now = decideChange(current, change);
      if ('rejected' in now || change.status === undefined) return true;
      if (now.status === 'available') return now.email === null && now.crdCommand === null;
      return now.status !== 'in-use' || now.email === change.email;
    }),
    { numRuns: 5_000 },
  );
});
