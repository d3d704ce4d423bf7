// The one-time codes of links: random, and only good by the secret that made them.

import t from 'tap';
import {
  createSignInCode,
  hashSignInCode,
  SIGN_IN_CODE,
  verifySignInCode,
} from '../../../src/gateway/auth/sign-in-code.js';

const SECRET = 'a secret that only this test knows of';
const OTHER = 'another secret that this test knows of';

t.test('a code is verified by any of the secrets, and no two are alike', async (t) => {
  const codes = Array.from({ length: 100 }, () => createSignInCode(SECRET));
  t.equal(new Set(codes).size, 100);
  for (const code of codes) {
    t.match(code, SIGN_IN_CODE);
    t.equal(verifySignInCode(code, [OTHER, SECRET]), true);
  }
  t.equal(verifySignInCode(codes[0] ?? '', [OTHER]), false);
  t.equal(verifySignInCode(codes[0] ?? '', []), false);
  t.equal(hashSignInCode(codes[0] ?? '').length, 32);
});

t.test('a code with a change in any character is rejected', async (t) => {
  const code = createSignInCode(SECRET);
  for (let at = 0; at < code.length - 1; at++) {
    const changed = code.slice(0, at) + (code[at] === 'A' ? 'B' : 'A') + code.slice(at + 1);
    t.equal(verifySignInCode(changed, [SECRET]), false, String(at));
  }
  for (const bad of ['', 'x', `${code}A`, code.slice(1), 'ü'.repeat(43)]) {
    t.equal(verifySignInCode(bad, [SECRET]), false);
  }
});
