// The digest of an assignment, against the layout of schema/README.md, and whatever is changed in
// it.

import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { verifyAssignment } from '../../../src/gateway/feed/assignment-proof.js';
import { authenticId } from '../../schema/authenticity.js';

const KEY = Buffer.from(Array.from({ length: 32 }, (_, n) => n));
const key = createSecretKey(KEY);
const version = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'grapheme', maxLength: 30 });
const hex4 = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16).padStart(4, '0'));
const assignment = fc.record({
  hostname: text,
  email: fc.option(text),
  crd_command: fc.option(text),
  version,
});

t.test('the test vector of the schema is verified', async (t) => {
  const claim = {
    ...{ hostname: 'vm-1', email: 'zoë@example.com', command: null, rowVersion: 4711 },
    assignmentId: '00000000-1267-8c0d-8e0f-230224ab4f50',
  };
  t.equal(verifyAssignment(key, claim), 4711);
  t.equal(verifyAssignment(key, { ...claim, rowVersion: 5000 }), 4711, 'the row changed since');
  t.equal(verifyAssignment(key, { ...claim, rowVersion: 4710 }), undefined);
  t.equal(verifyAssignment(createSecretKey(Buffer.alloc(32)), claim), undefined);
});

t.test('every assignment that the trigger makes is verified, with its version', async (t) => {
  fc.assert(
    fc.property(assignment, hex4, fc.nat(1000), (made, random, later) => {
      const { hostname, email, crd_command: command } = made;
      const rowVersion = Math.min(made.version + later, Number.MAX_SAFE_INTEGER);
      const assignmentId = authenticId(KEY, random, made);
      const claim = { hostname, email, command, rowVersion, assignmentId };
      t.equal(verifyAssignment(key, claim), made.version);
    }),
  );
});

t.test('any other hostname, email, command or id is not', async (t) => {
  fc.assert(
    fc.property(assignment, hex4, fc.nat(35), fc.nat(15), (made, random, at, digit) => {
      const { hostname, email, crd_command: command } = made;
      const id = authenticId(KEY, random, made);
      const claim = { hostname, email, command, rowVersion: made.version, assignmentId: id };
      t.equal(verifyAssignment(key, { ...claim, hostname: `${hostname}x` }), undefined);
      t.equal(verifyAssignment(key, { ...claim, email: `${email ?? ''}x` }), undefined);
      t.equal(verifyAssignment(key, { ...claim, command: `${command ?? ''}x` }), undefined);
      if (email === null) t.equal(verifyAssignment(key, { ...claim, email: '' }), undefined);
      const other = id.slice(0, at) + digit.toString(16) + id.slice(at + 1);
      if (other !== id)
        t.equal(verifyAssignment(key, { ...claim, assignmentId: other }), undefined);
    }),
  );
});

t.test('text that is moved between the columns is not', async (t) => {
  const made = { hostname: 'vm-1', email: 'a', crd_command: 'run', version: 7 };
  const assignmentId = authenticId(KEY, 'c0de', made);
  const moved = { hostname: 'vm-1', email: 'ar', command: 'un', rowVersion: 7, assignmentId };
  t.equal(verifyAssignment(key, moved), undefined);
});

t.test('an id that is no UUID of version 8 is not', async (t) => {
  const claim = { hostname: 'vm-1', email: null, command: null, rowVersion: 7 };
  for (const assignmentId of ['', 'x', '00000000-0007-4000-8000-000000000000', '0'.repeat(36)])
    t.equal(verifyAssignment(key, { ...claim, assignmentId }), undefined);
});
