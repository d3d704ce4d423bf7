// The gateway's address. A client uses one address for WebSockets and for HTTP.

/** The same place as the base of WebSocket URLs and of HTTP URLs. */
export interface GatewayAddress {
  readonly webSocket: string;
  readonly http: string;
}

const SCHEMES: Readonly<Record<string, readonly [webSocket: string, http: string]>> = {
  'http:': ['ws:', 'http:'],
  'ws:': ['ws:', 'http:'],
  'https:': ['wss:', 'https:'],
  'wss:': ['wss:', 'https:'],
};

/**
 * Parses the gateway's URL. The URL may have a path, if the gateway is behind a proxy; its query
 * and its fragment are ignored.
 * @throws TypeError if `url` is not an absolute URL of http, https, ws or wss.
 */
export function parseAddress(url: string): GatewayAddress {
  const { protocol, host, pathname } = new URL(url);
  const schemes = SCHEMES[protocol];
  if (schemes === undefined) {
    throw new TypeError(`The gateway's URL must start with http, https, ws or wss: ${url}`);
  }
  const [webSocket, http] = schemes;
  const rest = `//${host}${pathname.replace(/\/+$/, '')}`;
  return { webSocket: webSocket + rest, http: http + rest };
}
