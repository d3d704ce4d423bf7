// A port of loopback that nobody has, for a program that cannot choose one itself.

import { createServer, type AddressInfo } from 'node:net';

/** Free at this moment: whoever takes it soon is likely to get it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
