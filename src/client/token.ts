// The token of one client: where it comes from, when it expires, and how it is renewed while a
// socket is open. Only the gateway decides whether a token is valid: a wrong clock on this machine
// costs a reconnect and nothing else.

import { MAX_DELAY_MS, type Runtime } from './runtime.js';

/**
 * A token, or a function that returns a fresh one each time it is called. Undefined sends no token.
 */
export type TokenSource =
  string | undefined | (() => string | undefined | Promise<string | undefined>);

/** A token that expires this soon is not used for a new connection. */
const NEARLY_EXPIRED_MS = 10_000;
/** The shortest pause between two attempts to renew a token that is about to expire. */
const MIN_RENEWAL_MS = 1_000;

/** The token that all sockets of one client use. */
export class TokenCache {
  #current: string | undefined;

  constructor(
    private readonly source: TokenSource,
    private readonly runtime: Runtime,
  ) {}

  /** Whether the source can replace a rejected token. */
  get renewable(): boolean {
    return typeof this.source === 'function';
  }

  /**
   * Returns the token to connect with: the current one, or a fresh one if it expires soon.
   * Rejects if the source does.
   */
  async get(): Promise<string | undefined> {
    const leftMs = this.#current === undefined ? 0 : this.#readLeftMs(this.#current);
    return this.#current !== undefined && (leftMs === undefined || leftMs > NEARLY_EXPIRED_MS)
      ? this.#current
      : await this.renew();
  }

  /** Gets a token from the source. */
  async renew(): Promise<string | undefined> {
    this.#current = typeof this.source === 'function' ? await this.source() : this.source;
    return this.#current;
  }

  /** Forgets the current token, because the gateway rejected it. */
  invalidate(): void {
    this.#current = undefined;
  }

  /**
   * Renews the token of an open socket after 80 to 90 % of its remaining lifetime. The random part
   * keeps clients that connected together from renewing together. If the source fails, or returns
   * the same token, the next attempt follows after 80 to 90 % of what is left.
   * @param send sends the fresh token to the gateway. @returns a function that stops the renewal.
   */
  scheduleRenewal(token: string, send: (fresh: string) => void): () => void {
    let stopped = false;
    let sent = token;
    let cancel = (): void => undefined;
    const schedule = (): void => {
      const leftMs = this.#readLeftMs(sent);
      if (!this.renewable || leftMs === undefined || leftMs <= 0) return;
      const delayMs = leftMs * (0.8 + 0.1 * this.runtime.random());
      cancel = this.runtime.after(
        Math.min(Math.max(delayMs, MIN_RENEWAL_MS), MAX_DELAY_MS),
        () => void renew(),
      );
    };
    const renew = async (): Promise<void> => {
      const fresh = (await this.renew().catch(() => sent)) ?? sent;
      if (stopped) return;
      if (fresh !== sent) send(fresh);
      sent = fresh;
      schedule();
    };
    schedule();
    return () => {
      stopped = true;
      cancel();
    };
  }

  /** Milliseconds until the token expires; undefined if it names no expiry. */
  #readLeftMs(token: string): number | undefined {
    const expiresAtMs = readExpiryMs(token);
    return expiresAtMs === undefined ? undefined : expiresAtMs - this.runtime.now();
  }
}

/**
 * Reads the `exp` claim of a JWT (RFC 7519 §4.1.4) without verifying the token.
 * @returns milliseconds since the epoch; undefined if there is none.
 */
export function readExpiryMs(token: string): number | undefined {
  const [, payload = ''] = token.split('.');
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    const hasExpiry = typeof claims === 'object' && claims !== null && 'exp' in claims;
    return hasExpiry && typeof claims.exp === 'number' ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
