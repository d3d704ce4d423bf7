// Accepted public keys, and the algorithm of each.

import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { isPem, parsePublicKey } from '../../src/config/public-key.js';
import { ALGORITHMS, keyPair, toPem } from '../helpers/key-pairs.js';

t.test('the type of a key determines its algorithm', async (t) => {
  for (const algorithm of ALGORITHMS) {
    const { pem } = keyPair(algorithm);
    t.strictSame(parsePublicKey(pem), { algorithm, pem: pem.trim() });
  }
});

t.test('a key may be on one line, or have the line breaks of another system', async (t) => {
  const { pem } = keyPair('ES256');
  const expected = parsePublicKey(pem);
  t.strictSame(parsePublicKey(pem.replaceAll('\n', '\\n')), expected);
  t.match(parsePublicKey(pem.replaceAll('\n', '\r\n')), { algorithm: 'ES256' });
  t.match(parsePublicKey(`\n ${pem}\n\n`), { algorithm: 'ES256' });
});

t.test('a key of another type, or one that is too small, is rejected', async (t) => {
  for (const { publicKey } of [
    generateKeyPairSync('rsa', { modulusLength: 1_024 }),
    generateKeyPairSync('rsa', { modulusLength: 2_047 }),
    generateKeyPairSync('rsa-pss', { modulusLength: 2_048 }),
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
    generateKeyPairSync('ed448'),
    generateKeyPairSync('x25519'),
  ]) {
    t.equal(parsePublicKey(toPem(publicKey)), undefined, String(publicKey.asymmetricKeyType));
  }
});

t.test('text other than exactly one public key is rejected', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const pem = toPem(publicKey);
  for (const text of [
    '',
    'a secret of enough bytes, which is no key',
    '/etc/lablink/key.pem',
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    publicKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    JSON.stringify(publicKey.export({ format: 'jwk' })),
    pem + pem,
    `${pem}\n# of the identity provider`,
    pem.replace('PUBLIC KEY', 'CERTIFICATE'),
    pem.replace(/\n.{10}/, '\n'),
    pem.replace('MII', 'MIJ'),
    '-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----',
    `-----BEGIN PUBLIC KEY-----${'\n'.repeat(100_000)}`,
  ]) {
    t.equal(parsePublicKey(text), undefined, text.slice(0, 60));
  }
});

t.test('a key or a certificate is recognised as not being a secret', async (t) => {
  for (const label of ['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE', 'PRIVATE KEY']) {
    t.ok(isPem(`-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----`));
  }
  t.notOk(isPem('a secret ----- with dashes'));
});
