// Who is signed in: a token for this tab alone, forgotten when it is closed. It comes pasted, or in the URL's fragment,
// out of which it is taken before anything else looks at it.

import { extractToken } from './model/url-state.js';

const KEY = 'lablink-token';

/** The token of this tab; one that the URL brings goes before one that is kept. */
export function readToken(): string | undefined {
  const brought = extractToken(location.hash);
  if (brought !== undefined) {
    history.replaceState(null, '', location.pathname + location.search + brought.rest);
    storeToken(brought.token);
  }
  const kept = sessionStorage.getItem(KEY);
  return kept === null || kept === '' ? undefined : kept;
}

export function storeToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

/** The gateway's URL: where the page came from, with the path it has behind a proxy, if any. */
export function readGatewayUrl(): string {
  return new URL('.', location.origin + location.pathname).href.replace(/\/$/, '');
}
