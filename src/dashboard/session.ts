// The token of the user. It is kept for this tab only and is forgotten when the tab is closed. The
// user pastes it, or a link's one-time code in the URL's fragment is exchanged for it.

import { extractLink, type SignInLink } from './model/sign-in-link.js';

const KEY = 'lablink-token';

/** Takes the sign-in out of the URL, so that no history keeps it; undefined if there is none. */
export function takeLink(): SignInLink | undefined {
  const found = extractLink(location.hash);
  if (found === undefined) return undefined;
  history.replaceState(null, '', location.pathname + location.search + found.rest);
  return found.link;
}

/** Reads the token of this tab; undefined if there is none. */
export function restoreToken(): string | undefined {
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
