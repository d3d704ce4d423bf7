// HTTP as bytes on a TCP connection, for requests that no HTTP client sends.

import { connect, type Socket } from 'node:net';

/** Opens a connection to a server, and keeps everything that it sends. */
export function openRaw(url: string): { readonly socket: Socket; received: () => string } {
  const { hostname, port } = new URL(url);
  const parts: Buffer[] = [];
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  socket.on('data', (part: Buffer) => parts.push(part)).on('error', () => undefined);
  return { socket, received: () => Buffer.concat(parts).toString('latin1') };
}

/**
 * Sends the bytes, and returns everything that the server sends until it ends the connection. A
 * request that leaves the connection open never returns: add `Connection: close`.
 */
export async function sendRaw(url: string, bytes: string | Buffer): Promise<string> {
  const { socket, received } = openRaw(url);
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
  socket.destroy();
  return received();
}
