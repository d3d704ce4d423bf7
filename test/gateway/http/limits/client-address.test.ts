import t from 'tap';
import { deriveClientKey } from '../../../../src/gateway/http/limits/client-address.js';

t.test('every spelling of an IPv4 address is the same client', async (t) => {
  t.equal(deriveClientKey('192.0.2.1'), '192.0.2.1');
  t.equal(deriveClientKey('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(deriveClientKey('::FFFF:192.0.2.1'), '192.0.2.1');
});

t.test('all IPv6 addresses of one /64 are one client', async (t) => {
  for (const address of [
    '2001:db8:0:7::1',
    '2001:DB8::7:a:b:c:d',
    '2001:0db8:0000:0007:ffff::',
    '2001:db8:0:7:1:2:3:4',
  ]) {
    t.equal(deriveClientKey(address), '2001:db8:0:7::/64', address);
  }
  t.equal(deriveClientKey('2001:db8:0:8::1'), '2001:db8:0:8::/64');
  t.equal(deriveClientKey('2001:db8::1'), '2001:db8:0:0::/64');
  t.equal(deriveClientKey('fe80::1%eth0'), 'fe80:0:0:0::/64');
  t.equal(deriveClientKey('::2'), '0:0:0:0::/64');
});

t.test('loopback has no key', async (t) => {
  for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) {
    t.equal(deriveClientKey(address), undefined, address);
  }
});

t.test('a client that left before its address was read has no key', async (t) => {
  t.equal(deriveClientKey(undefined), undefined);
});

t.test('the port and the brackets that a proxy adds are no part of the address', async (t) => {
  for (const address of ['203.0.113.7:51001', '203.0.113.7:51002', '203.0.113.7'])
    t.equal(deriveClientKey(address), '203.0.113.7', address);
  for (const address of ['[2001:db8:0:7::1]:51001', '[2001:db8:0:7::1]', '2001:db8:0:7::1'])
    t.equal(deriveClientKey(address), '2001:db8:0:7::/64', address);
  t.equal(deriveClientKey('[::ffff:192.0.2.1]:443'), '192.0.2.1');
  t.equal(deriveClientKey('[::1]:443'), undefined, 'loopback, as without brackets');
});

t.test('forwarded text that is not an address is its own key', async (t) => {
  t.equal(deriveClientKey('unknown'), 'unknown');
  t.equal(deriveClientKey(''), '');
});
