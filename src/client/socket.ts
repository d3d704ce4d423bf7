// One WebSocket, whoever provides it: the platform, or `ws` where there is none. Whatever it does after it was
// abandoned is nobody's business.

export interface SocketEvents {
  readonly opened: () => void;
  /** `data` is a string for a text frame, something else for a binary one. */
  readonly received: (data: unknown) => void;
  /** Always the last; a socket that could not be opened ends with it too (1006). */
  readonly closed: (code: number, reason: string) => void;
}

export interface Socket {
  send(text: string): void;
  /** Starts the closing handshake. `code` is 1000 or one of 3000 to 4999: browsers allow no other. */
  close(code: number): void;
  /** Drops a socket whose peer is not expected to answer. */
  abandon(code: number): void;
}

/** Rejects when no socket can be made of these arguments; then no event follows. */
export type OpenSocket = (
  url: string,
  protocols: string[],
  events: SocketEvents,
) => Promise<Socket>;

/** What the WebSocket of browsers and that of `ws` have in common (WHATWG WebSockets §3). */
interface PlatformSocket {
  send(data: string): void;
  close(code?: number): void;
  /** Only `ws` has it. */
  terminate?(): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { code: number; reason: string }) => void,
  ): void;
}
type SocketConstructor = new (url: string, protocols: string[], options?: object) => PlatformSocket;

/** Only `ws` reads these. */
const WS_OPTIONS = {
  // How long a peer may leave our close unanswered; until then the process stays.
  closeTimeout: 2_000,
  perMessageDeflate: false,
  // Some proxies refuse a client that does not name itself.
  headers: { 'User-Agent': 'lablink-gateway-client' },
};

export const openSocket: OpenSocket = async (url, protocols, events) => {
  const WebSocket = await socketConstructor();
  const socket = new WebSocket(url, protocols, WS_OPTIONS);
  socket.addEventListener('open', events.opened);
  socket.addEventListener('message', ({ data }) => events.received(data));
  socket.addEventListener('close', ({ code, reason }) => events.closed(code, reason));
  // Says nothing that `close` does not say; without a listener `ws` would throw.
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
