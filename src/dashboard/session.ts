// The token of the user. It is kept for this tab only and is forgotten when the tab is closed. The
// user pastes it, or it comes in the URL's fragment, which it is removed from first.

import { extractToken } from './model/url-state.js';

const KEY = 'lablink-token';

/**
 * Reads the token of this tab; a token in the URL replaces a stored one. Undefined if there is
 * none.
 */
export function restoreToken(): string | undefined {
  const fromUrl = extractToken(location.hash);
  if (fromUrl !== undefined) {
    history.replaceState(null, '', location.pathname + location.search + fromUrl.rest);
    storeToken(fromUrl.token);
  }
  const stored = sessionStorage.getItem(KEY);
  return stored === null || stored === '' ? undefined : stored;
}

export function storeToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

/** Reads the gateway's URL from the page's: its origin, and its path behind a proxy. */
export function readGatewayUrl(): string {
  return new URL('.', location.origin + location.pathname).href.replace(/\/$/, '');
}
