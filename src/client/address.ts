// Where the gateway is: one address, spoken to as a WebSocket and over HTTP.

export interface Address {
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
 * Reads the gateway's URL, which may have a path of its own (behind a proxy); a query or fragment is dropped.
 * @throws TypeError when it is not an absolute URL of http, https, ws or wss.
 */
export function parseAddress(url: string): Address {
  const { protocol, host, pathname } = new URL(url);
  const schemes = SCHEMES[protocol];
  if (schemes === undefined) throw new TypeError(`not the URL of a gateway: ${url}`);
  const [webSocket, http] = schemes;
  const rest = `//${host}${pathname.replace(/\/+$/, '')}`;
  return { webSocket: webSocket + rest, http: http + rest };
}
