// The list of revoked tokens: which tokens it revokes, and what happens before it was read.

import t from 'tap';
import { rejectRevoked, RevokedTokens } from '../../../src/gateway/auth/revocations.js';
import { createVerifier, signToken, type Identity } from '../../../src/gateway/auth/token.js';

const SECRET = 'a secret that only this test knows of';

const identity = (about: Partial<Identity>): Identity => ({
  sub: 'vm-1',
  role: 'agent',
  expiresAtMs: Infinity,
  ...about,
});

t.test('a jti revokes that token alone', async (t) => {
  const revoked = new RevokedTokens();
  revoked.replace([{ kind: 'jti', value: 'a' }]);
  t.equal(revoked.isRevoked(identity({ jti: 'a' })), true);
  for (const other of [{ jti: 'b' }, {}, { sub: 'a' }]) {
    t.equal(revoked.isRevoked(identity(other)), false);
  }
});

t.test('a sub revokes the tokens that were issued up to then', async (t) => {
  const revoked = new RevokedTokens();
  revoked.replace([{ kind: 'sub', value: 'vm-1', issuedUntilS: 100 }]);
  t.equal(revoked.isRevoked(identity({ issuedAtS: 99 })), true);
  t.equal(revoked.isRevoked(identity({ issuedAtS: 100 })), true);
  t.equal(revoked.isRevoked(identity({ issuedAtS: 101 })), false);
  t.equal(revoked.isRevoked(identity({})), true, 'and those that do not say when');
  t.equal(revoked.isRevoked(identity({ sub: 'vm-2', issuedAtS: 99 })), false);
  t.equal(revoked.isRevoked(identity({ sub: 'vm-2', jti: 'vm-1' })), false);
});

t.test('a new list replaces the former one', async (t) => {
  const revoked = new RevokedTokens();
  revoked.replace([
    { kind: 'jti', value: 'a' },
    { kind: 'sub', value: 'vm-1', issuedUntilS: 100 },
  ]);
  t.equal(revoked.size, 2);
  revoked.replace([]);
  t.equal(revoked.size, 0);
  t.equal(revoked.isRevoked(identity({ jti: 'a', issuedAtS: 1 })), false);
});

t.test('until the list was read no token is accepted, and a bad one stays bad', async (t) => {
  const revoked = new RevokedTokens();
  const verify = rejectRevoked(createVerifier([SECRET]), revoked);
  const token = signToken({ sub: 'vm-1', role: 'agent', ttlSeconds: 60 }, SECRET);
  t.same(verify(token), { ok: false, reason: 'revocations_unread' });
  t.same(verify(`${token}x`), { ok: false, reason: 'invalid' });
  revoked.replace([]);
  const verified = verify(token);
  t.match(verified, { ok: true, identity: { sub: 'vm-1' } });
  const jti = verified.ok ? (verified.identity.jti ?? '') : '';
  revoked.replace([{ kind: 'jti', value: jti }]);
  t.same(verify(token), { ok: false, reason: 'revoked' });
});
