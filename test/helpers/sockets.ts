// The TCP sockets under WebSockets, at either end: what a test breaks, and where it sees what is
// kept unsent.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Teardown } from './database.js';

/** The client's end. */
export function clientEnd(ws: WebSocket): Socket {
  if ('_socket' in ws && ws._socket instanceof Socket) return ws._socket;
  throw new Error('a WebSocket that is not open');
}

/** Gives the gateway's end of a socket opened after this call. */
export function watchServerEnds(t: Teardown): (ws: WebSocket) => Socket {
  const byPort = new Map<number, Socket>();
  const remember = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    byPort.set(socket.remotePort ?? 0, socket);
  };
  subscribe('net.server.socket', remember);
  t.teardown(() => unsubscribe('net.server.socket', remember));
  return (ws) => {
    const socket = byPort.get(clientEnd(ws).localPort ?? -1);
    if (socket === undefined) throw new Error('the gateway has no such socket');
    return socket;
  };
}
