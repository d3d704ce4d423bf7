import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { pino } from 'pino';
import t from 'tap';
import {
  createAdmit,
  createAcquireSlot,
  type Admit,
} from '../../../../src/gateway/http/limits/admission.js';
import { createServer } from '../../../../src/gateway/http/server.js';
import { ConnectionSlots } from '../../../../src/gateway/session/connection-slots.js';
import { until } from '../../../helpers/until.js';

/**
 * Starts a server on which every request is an admin's upgrade; a hook may change its connection
 * before.
 */
async function admitting(before: (connection: Socket) => Promise<unknown>) {
  const places = new ConnectionSlots({ total: 1, perAddress: 1, perIdentity: 1 });
  const server = createServer(pino({ level: 'silent' }), false);
  server.addHook('onRequest', async (request) => {
    request.ws = true;
    request.identity = { role: 'admin', sub: 'a', expiresAtMs: Infinity };
    await before(request.raw.socket);
  });
  let handled = 0;
  let checked = 0;
  const admit = createAdmit(createAcquireSlot(places));
  const preHandler: Admit = async (request, reply) => {
    await admit(request, reply);
    checked++;
  };
  server.get('/', { preHandler }, () => {
    handled++;
    return places.inUse;
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  const ask = async (): Promise<void> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined).end('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
  };
  return { places, ask, handled: () => handled, checked: () => checked };
}

t.test('a slot is occupied until the connection is closed', async (t) => {
  const { places, ask, handled } = await admitting(() => Promise.resolve());
  for (let n = 1; n <= 3; n++) {
    await ask();
    t.equal(handled(), n);
    t.equal(places.inUse, 0);
  }
});

t.test('a request whose connection is already closed acquires no slot', async (t) => {
  const { places, ask, checked } = await admitting((connection) =>
    once(connection.destroy(), 'close'),
  );
  await ask();
  await until('its check is over', () => checked() > 0);
  t.equal(places.inUse, 0);
});
