// What is tested: a gateway and its database, of the load test's own or of others.

import type pg from 'pg';
import type { Figures } from './figures.js';

/** What clients authenticate with. A token is shared by all, and so is an admin's. */
export type Credentials =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'token'; readonly token: string };

export interface Target {
  /** Of http: or https:, without a path of the protocol's. */
  readonly url: string;
  readonly database: pg.ClientConfig;
  readonly credentials: Credentials;
  /** What the gateway has used so far; undefined where that cannot be known. */
  readonly figures: () => Promise<Figures | undefined>;
  /** The memory that its process holds, in bytes, without what is garbage where that can be known. */
  readonly memory: () => Promise<number | undefined>;
  /** What the gateway answers when it is asked for a VM: an HTTP status. Rejects where it does not answer. */
  readonly statusOf: (hostname: string) => Promise<number>;
  /** Ends the gateway as its operator would, or kills it, and starts it again; undefined for one of others. */
  readonly restart: ((how: 'in order' | 'by force') => Promise<void>) | undefined;
  readonly stop: () => Promise<void>;
}
