// Every address of a host is served, as far as the machine has it and no other program does.

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { FurtherListeners, resolveAddresses } from '../../../src/gateway/http/addresses.js';

t.test('localhost is both loopback addresses, and an address is itself', async (t) => {
  t.same([...(await resolveAddresses('LOCALHOST'))].sort(), ['127.0.0.1', '::1']);
  t.same(await resolveAddresses('192.0.2.1'), ['192.0.2.1']);
});

t.test('an address that the machine lacks is passed over', async (t) => {
  const further = new FurtherListeners(createHttpServer());
  t.same(await further.listen(['192.0.2.1'], 0, 1), []);
});

t.test('a port that another program has is an error', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const further = new FurtherListeners(createHttpServer());
  await t.rejects(further.listen(['127.0.0.1'], port, 1), { code: 'EADDRINUSE' });
});
