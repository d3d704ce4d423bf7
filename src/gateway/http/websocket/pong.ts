// Answers the Pings of a client. At most one Pong waits in the socket, and at most one payload
// waits behind it, so a client that pings and never reads costs a bounded amount of memory.

import type { WebSocket } from '@fastify/websocket';

/**
 * Returns a function that answers a Ping. While a Pong waits in the socket, only the payload of the
 * latest Ping is kept; RFC 6455, section 5.5.3, allows that. A client that reads slowly therefore
 * gets a Pong for its latest Ping, behind the messages that were queued before.
 */
export function createPingResponder(
  ws: Pick<WebSocket, 'OPEN' | 'pong' | 'readyState'>,
): (payload: Buffer) => void {
  let isPongWaiting = false;
  let latest: Buffer | undefined;
  const sendPong = (payload: Buffer): void => {
    isPongWaiting = true;
    ws.pong(payload, false, () => {
      isPongWaiting = false;
      const next = latest;
      latest = undefined;
      if (next !== undefined && ws.readyState === ws.OPEN) sendPong(next);
    });
  };
  return (payload) => {
    // A copy, because the payload is a part of the large buffer that was read from the socket.
    const copy = Buffer.from(payload);
    if (isPongWaiting) latest = copy;
    else sendPong(copy);
  };
}
