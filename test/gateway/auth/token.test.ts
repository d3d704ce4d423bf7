// Valid tokens, and every type of invalid token.

import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import t from 'tap';
import { createVerifier, signToken } from '../../../src/gateway/auth/token.js';
import { ALGORITHMS, keyPair } from '../../helpers/key-pairs.js';

const SECRET = 'a secret that only this test knows of';
const OTHER = 'another secret that this test knows of';
const NOW_S = 1_700_000_000;

const INVALID = { ok: false, reason: 'invalid' };
const EXPIRED = { ok: false, reason: 'expired' };
const NOT_YET_VALID = { ok: false, reason: 'not_yet_valid' };

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Creates a token with a valid signature and any header and claims. */
function forge(
  header: unknown,
  claims: unknown,
  secret: string | Buffer = SECRET,
  hash = 'sha256',
): string {
  const content = `${encode(header)}.${encode(claims)}`;
  return `${content}.${createHmac(hash, secret).update(content).digest('base64url')}`;
}

const HS256 = { alg: 'HS256' };
const CLAIMS = { sub: 'vm-1', role: 'agent', exp: NOW_S + 60 };

const verify = createVerifier([SECRET], () => NOW_S * 1000);

t.test('a signed token has the identity of its bearer until it expires', async (t) => {
  const before = Math.floor(Date.now() / 1000);
  for (const role of ['agent', 'dashboard', 'admin'] as const) {
    const token = signToken({ sub: 'vm-é 1', role, ttlSeconds: 3600 }, SECRET);
    const after = Math.floor(Date.now() / 1000);
    const { exp = 0, iat = 0, jti = '' } = decodeJwt(token);
    t.strictSame(decodeProtectedHeader(token), { alg: 'HS256', typ: 'JWT' });
    t.ok(iat >= before && iat <= after);
    t.equal(exp - iat, 3600);
    const expiresAtMs = (exp + 5) * 1000;
    const identity = { sub: 'vm-é 1', role, expiresAtMs, jti, issuedAtS: iat };
    t.match(jti, /^[\w-]{36}$/);
    t.strictSame(createVerifier([SECRET])(token), { ok: true, identity });
  }
});

t.test('the program accepts the tokens that this test creates', async (t) => {
  const identity = { sub: 'vm-1', role: 'agent', expiresAtMs: (NOW_S + 65) * 1000 };
  t.strictSame(verify(forge(HS256, CLAIMS)), { ok: true, identity });
  t.match(verify(forge({ ...HS256, typ: 'JWT', kid: 'x' }, { ...CLAIMS, iss: 1, jti: {} })), {
    ok: true,
  });
});

t.test('a token is accepted up to 5 s after its end', async (t) => {
  const at = (exp: number) => verify(forge(HS256, { ...CLAIMS, exp }));
  t.match(at(NOW_S - 4), { ok: true, identity: { expiresAtMs: (NOW_S + 1) * 1000 } });
  t.strictSame(at(NOW_S - 5), EXPIRED);
  t.strictSame(at(NOW_S - 3600), EXPIRED);
  t.strictSame(at(0), EXPIRED);
});

t.test('a token is accepted exactly until the time in its identity', async (t) => {
  const token = forge(HS256, CLAIMS);
  const at = (nowMs: number) => createVerifier([SECRET], () => nowMs)(token);
  const good = at(NOW_S * 1000);
  const expiresAtMs = good.ok ? good.identity.expiresAtMs : 0;
  t.match(at(expiresAtMs - 1), { ok: true });
  t.strictSame(at(expiresAtMs), EXPIRED);
});

t.test('a token is accepted from 5 s before its start', async (t) => {
  t.match(verify(forge(HS256, { ...CLAIMS, nbf: NOW_S + 5 })), { ok: true });
  t.strictSame(verify(forge(HS256, { ...CLAIMS, nbf: NOW_S + 6 })), NOT_YET_VALID);
  t.strictSame(verify(forge(HS256, { ...CLAIMS, nbf: NOW_S + 6 }, OTHER)), INVALID);
  t.strictSame(verify(forge(HS256, { ...CLAIMS, nbf: 'tomorrow' })), INVALID);
});

t.test('each claim is required and validated', async (t) => {
  const bad: Record<string, readonly unknown[]> = {
    sub: [undefined, null, '', 7, ['vm-1'], {}, 'a\0b', 'x'.repeat(256)],
    role: [
      undefined,
      null,
      '',
      'Agent',
      'root',
      'agent ',
      ['agent'],
      1,
      '__proto__',
      'constructor',
    ],
    enrol_max: [0, -1, 1.5, '5', null, {}],
    enrol_pattern: ['', 5, null, 'x'.repeat(256)],
    exp: [undefined, null, '', String(NOW_S + 60), true, [NOW_S + 60], {}, 1e300, 8.64e12],
  };
  for (const [claim, values] of Object.entries(bad)) {
    for (const value of values) {
      const token = forge(HS256, { ...CLAIMS, [claim]: value });
      t.strictSame(verify(token), INVALID, `${claim} ${JSON.stringify(value)}`);
    }
  }
  t.strictSame(verify(forge(HS256, '{"sub":"vm-1","role":"agent","exp":1e999}')), INVALID);
  t.match(verify(forge(HS256, { ...CLAIMS, sub: '😀'.repeat(255) })), { ok: true });
  t.match(verify(forge(HS256, { ...CLAIMS, exp: NOW_S + 0.5 })), { ok: true });
});

t.test('a token of another secret, or with a change in any part, is rejected', async (t) => {
  const token = forge(HS256, CLAIMS);
  const [header = '', claims = '', signature = ''] = token.split('.');
  const admin = encode({ ...CLAIMS, role: 'admin' });
  for (const forged of [
    forge(HS256, CLAIMS, OTHER),
    `${header}.${admin}.${signature}`,
    `${encode({ ...HS256, x: 1 })}.${claims}.${signature}`,
    `${header}.${claims}.${signature.slice(0, -2)}`,
    `${header}.${claims}.`,
    `${header}.${claims}`,
    `${token}.x`,
    `${token} `,
    ` ${token}`,
    `${token}=`,
    `.${claims}.${signature}`,
  ]) {
    t.strictSame(verify(forged), INVALID, forged);
  }
  const expired = forge(HS256, { ...CLAIMS, exp: 1 }, OTHER);
  t.strictSame(verify(expired), INVALID, 'of a forged one it is not said that it has expired');
});

t.test('no token can choose how it is verified', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const rs256 = await new SignJWT(CLAIMS).setProtectedHeader({ alg: 'RS256' }).sign(privateKey);
  t.strictSame(verify(rs256), INVALID, 'signed by somebody else');
  t.strictSame(verify(forge(HS256, CLAIMS, pem)), INVALID, 'a public key as the secret');
  t.strictSame(verify(forge({ alg: 'HS512' }, CLAIMS, SECRET, 'sha512')), INVALID);
  t.strictSame(verify(forge({ alg: 'HS384' }, CLAIMS, SECRET, 'sha384')), INVALID);
  for (const alg of ['none', 'None', 'NONE', '', 'hs256', null, 7, ['HS256'], {}, undefined]) {
    t.strictSame(verify(forge({ alg }, CLAIMS)), INVALID, `alg ${JSON.stringify(alg)}`);
    t.strictSame(verify(`${encode({ alg })}.${encode(CLAIMS)}.`), INVALID);
  }
});

t.test('headers with unsupported critical parameters are rejected', async (t) => {
  for (const header of [
    { ...HS256, crit: ['exp'], exp: 1 },
    { ...HS256, crit: [] },
    { ...HS256, crit: 'b64' },
    { ...HS256, b64: false, crit: ['b64'] },
    'null',
    '[]',
    '7',
    '"HS256"',
    'not JSON',
    '',
    '{"alg":"HS256"',
    '[{"alg":"HS256"}]',
  ]) {
    t.strictSame(verify(forge(header, CLAIMS)), INVALID, JSON.stringify(header));
  }
});

t.test('claims that are not an object are rejected', async (t) => {
  for (const claims of [
    'null',
    '[]',
    '7',
    '"x"',
    'not JSON',
    '',
    '{}',
    '['.repeat(2000),
    '\ufeff{}',
  ]) {
    t.strictSame(verify(forge(HS256, claims)), INVALID, claims.slice(0, 20));
  }
});

t.test('odd text is rejected, and never throws', async (t) => {
  for (const text of [
    '',
    '.',
    '..',
    '...',
    '\0',
    'a\0.b.c',
    'ü.ü.ü',
    '\ud800.\udc00.x',
    '%%%.%%%.%%%',
    'undefined',
  ]) {
    t.strictSame(verify(text), INVALID, JSON.stringify(text));
  }
  const character = fc.constantFrom('.', 'a', '=', '-', '\0', '😀', 'eyJhbGciOiJIUzI1NiJ9');
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: character })), (text) => {
      const verified = verify(text);
      return !verified.ok && verified.reason === 'invalid';
    }),
  );
});

t.test('a huge token is rejected even with a valid signature', async (t) => {
  const padded = (bytes: number) => forge(HS256, { ...CLAIMS, pad: 'x'.repeat(bytes) });
  t.match(verify(padded(5_000)), { ok: true });
  t.strictSame(verify(padded(7_000)), INVALID);
  t.strictSame(verify('a'.repeat(10_000_000)), INVALID);
});

t.test(
  'during rotation, tokens of both secrets are valid, and the first secret signs',
  async (t) => {
    const rotating = createVerifier([OTHER, SECRET], () => NOW_S * 1000);
    t.match(rotating(forge(HS256, CLAIMS, OTHER)), { ok: true });
    t.match(rotating(forge(HS256, CLAIMS, SECRET)), { ok: true });
    t.strictSame(rotating(forge(HS256, CLAIMS, `${SECRET}!`)), INVALID);
    for (const secret of [OTHER, SECRET]) {
      t.strictSame(rotating(forge(HS256, { ...CLAIMS, exp: 1 }, secret)), EXPIRED);
      t.strictSame(rotating(forge(HS256, { ...CLAIMS, role: 'root' }, secret)), INVALID);
    }
  },
);

t.test(
  'a public key verifies tokens of its private key, with its own algorithm only',
  async (t) => {
    for (const algorithm of ALGORITHMS) {
      const [pair, stranger] = [keyPair(algorithm), keyPair(algorithm)];
      const check = createVerifier([pair], () => NOW_S * 1000);
      const identity = { sub: 'vm-1', role: 'agent', expiresAtMs: (NOW_S + 65) * 1000 };
      t.strictSame(check(await pair.sign(CLAIMS)), { ok: true, identity }, algorithm);
      t.strictSame(check(await stranger.sign(CLAIMS)), INVALID, 'of another key');
      t.strictSame(check(await pair.sign({ ...CLAIMS, exp: NOW_S - 5 })), EXPIRED);
      t.strictSame(check(await pair.sign({ ...CLAIMS, nbf: NOW_S + 6 })), NOT_YET_VALID);
      t.strictSame(check(await pair.sign({ ...CLAIMS, role: 'root' })), INVALID);
      const { exp, ...endless } = CLAIMS;
      t.ok(exp);
      t.strictSame(check(await pair.sign(endless)), INVALID, 'without an end');
      t.strictSame(check(`${encode({ alg: 'none' })}.${encode(CLAIMS)}.`), INVALID);
      for (const other of ALGORITHMS.filter((name) => name !== algorithm)) {
        const [, claims = '', signature = ''] = (await pair.sign(CLAIMS)).split('.');
        t.strictSame(check(`${encode({ alg: other })}.${claims}.${signature}`), INVALID, other);
      }
    }
    const rsa = keyPair('RS256');
    const check = createVerifier([rsa], () => NOW_S * 1000);
    for (const alg of ['RS384', 'RS512', 'PS256']) {
      t.strictSame(check(await rsa.sign(CLAIMS, alg)), INVALID, `by its own key as ${alg}`);
    }
  },
);

t.test('a public key never verifies as a secret, in any spelling', async (t) => {
  for (const algorithm of ALGORITHMS) {
    const { pem } = keyPair(algorithm);
    const key = createPublicKey(pem);
    for (const verifier of [
      createVerifier([{ algorithm, pem }]),
      createVerifier([SECRET, { algorithm, pem }]),
    ]) {
      for (const secret of [
        pem,
        pem.trim(),
        pem.replaceAll('\n', '\\n'),
        pem.split('\n').slice(1, -2).join(''),
        key.export({ type: 'spki', format: 'der' }),
        JSON.stringify(key.export({ format: 'jwk' })),
      ]) {
        const inAnHour = { ...CLAIMS, exp: Math.floor(Date.now() / 1000) + 3_600 };
        for (const alg of ['HS256', algorithm]) {
          t.strictSame(verifier(forge({ alg }, inAnHour, secret)), INVALID);
        }
      }
    }
  }
});

t.test('a secret and keys of every type work together', async (t) => {
  const pairs = ALGORITHMS.map(keyPair);
  const older = keyPair('EdDSA');
  const check = createVerifier([SECRET, ...pairs, older], () => NOW_S * 1000);
  t.match(check(forge(HS256, CLAIMS)), { ok: true });
  for (const pair of [...pairs, older]) {
    t.match(check(await pair.sign(CLAIMS)), { ok: true }, pair.algorithm);
    t.strictSame(check(await pair.sign({ ...CLAIMS, exp: 1 })), EXPIRED, pair.algorithm);
    t.strictSame(check(await pair.sign({ ...CLAIMS, nbf: NOW_S + 6 })), NOT_YET_VALID);
    t.strictSame(check(await keyPair(pair.algorithm).sign(CLAIMS)), INVALID, 'a stranger');
  }
});

t.test('without a secret no token is accepted', async (t) => {
  t.strictSame(createVerifier([])(forge(HS256, CLAIMS)), INVALID);
  t.strictSame(createVerifier([])(forge(HS256, CLAIMS, '')), INVALID);
});
