// The token: where it comes from, how long it is good, and its renewal while a socket is open. Only the gateway can
// tell whether a token is valid; a wrong clock here costs a reconnect and nothing else.

import { MAX_DELAY_MS, type Runtime } from './runtime.js';

/** A token that is good for ever (the client ends when it is refused), or a function that gives a fresh one. */
export type TokenSource = string | (() => string | Promise<string>);

/** A token this near its end is not worth connecting with. */
const NEARLY_EXPIRED_MS = 10_000;
/** Between two tries to renew a token that is about to expire. */
const MIN_RENEWAL_MS = 1_000;

/** The token that all sockets of one client connect with. */
export class Tokens {
  #current: string | undefined;

  constructor(
    private readonly source: TokenSource,
    private readonly runtime: Runtime,
  ) {}

  /** Whether a refused token can be replaced. */
  get renewable(): boolean {
    return typeof this.source === 'function';
  }

  /** The token to connect with: the one at hand while it is good for a moment. Rejects as the source does. */
  async get(): Promise<string> {
    const leftMs = this.#current === undefined ? 0 : this.#leftMs(this.#current);
    return this.#current !== undefined && (leftMs === undefined || leftMs > NEARLY_EXPIRED_MS)
      ? this.#current
      : await this.renew();
  }

  /** A token from the source. */
  async renew(): Promise<string> {
    this.#current = typeof this.source === 'string' ? this.source : await this.source();
    return this.#current;
  }

  /** The gateway would not have it: the next one comes from the source. */
  drop(): void {
    this.#current = undefined;
  }

  /**
   * Renews the token of an open socket when four fifths of its life are over or a little more (those who came
   * together do not renew together), and again in what is left when the source fails or has no other yet.
   * @param send tells the gateway. @returns what ends it.
   */
  keepFresh(token: string, send: (fresh: string) => void): () => void {
    let stopped = false;
    let held = token;
    let cancel = (): void => undefined;
    const arm = (): void => {
      const leftMs = this.#leftMs(held);
      if (!this.renewable || leftMs === undefined || leftMs <= 0) return;
      const delayMs = leftMs * (0.8 + 0.1 * this.runtime.random());
      cancel = this.runtime.after(
        Math.min(Math.max(delayMs, MIN_RENEWAL_MS), MAX_DELAY_MS),
        () => void renew(),
      );
    };
    const renew = async (): Promise<void> => {
      const fresh = await this.renew().catch(() => held);
      if (stopped) return;
      if (fresh !== held) send(fresh);
      held = fresh;
      arm();
    };
    arm();
    return () => {
      stopped = true;
      cancel();
    };
  }

  /** How long it is good; undefined when it does not say. */
  #leftMs(token: string): number | undefined {
    const expiresAtMs = expiryOf(token);
    return expiresAtMs === undefined ? undefined : expiresAtMs - this.runtime.now();
  }
}

/** The `exp` of a JWT (RFC 7519 §4.1.4) in milliseconds since the epoch, unverified; undefined when it has none. */
export function expiryOf(token: string): number | undefined {
  const [, payload = ''] = token.split('.');
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    const hasExpiry = typeof claims === 'object' && claims !== null && 'exp' in claims;
    return hasExpiry && typeof claims.exp === 'number' ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
