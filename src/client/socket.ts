// A WebSocket with one interface, from the platform or, where the platform has none, from `ws`.
// The client ignores every event of a socket after it abandoned the socket.

export interface SocketEvents {
  readonly opened: () => void;
  /** `data` is a string for a text frame, and another type for a binary frame. */
  readonly received: (data: unknown) => void;
  /** Always the last event, also for a socket that could not be opened (code 1006). */
  readonly closed: (code: number, reason: string) => void;
}

export interface ClientSocket {
  send(text: string): void;
  /** Starts the close handshake. `code` is 1000, or 3000 to 4999: browsers allow no other. */
  close(code: number): void;
  /** Drops a socket without waiting for the peer's answer. */
  abandon(code: number): void;
}

/** Opens a socket. Rejects if the arguments allow no socket; no event follows then. */
export type OpenSocket = (
  url: string,
  protocols: string[],
  events: SocketEvents,
) => Promise<ClientSocket>;

/** The part that the browser's WebSocket and the one of `ws` share (WHATWG WebSockets §3). */
interface PlatformSocket {
  send(data: string): void;
  close(code?: number): void;
  /** Only in `ws`. */
  terminate?(): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { code: number; reason: string }) => void,
  ): void;
}
type SocketConstructor = new (url: string, protocols: string[], options?: object) => PlatformSocket;

/** Options that only `ws` reads. */
const WS_OPTIONS = {
  // Milliseconds that the peer has to answer a close; the process stays alive until then.
  closeTimeout: 2_000,
  perMessageDeflate: false,
  // Some proxies reject a request without a User-Agent.
  headers: { 'User-Agent': 'lablink-gateway-client' },
};

export const openSocket: OpenSocket = async (url, protocols, events) => {
  const WebSocket = await socketConstructor();
  const socket = new WebSocket(url, protocols, WS_OPTIONS);
  socket.addEventListener('open', events.opened);
  socket.addEventListener('message', ({ data }) => events.received(data));
  socket.addEventListener('close', ({ code, reason }) => events.closed(code, reason));
  // The `close` event follows and says as much. Without a listener, `ws` throws.
  socket.addEventListener('error', () => undefined);
  return {
    send: (text) => socket.send(text),
    close: (code) => socket.close(code),
    abandon: (code) => {
      if (socket.terminate === undefined) socket.close(code);
      else socket.terminate();
    },
  };
};

async function socketConstructor(): Promise<SocketConstructor> {
  if ('WebSocket' in globalThis && isConstructor(globalThis.WebSocket)) return globalThis.WebSocket;
  return (await import('ws')).WebSocket;
}

function isConstructor(value: unknown): value is SocketConstructor {
  return typeof value === 'function';
}
