// The target of a load test: a gateway and its database. A local target is started for the test; a
// remote target exists already.

import type pg from 'pg';
import type { Figures } from './figures.js';

/** How clients authenticate. All clients share a token, so it must be an admin's. */
export type Credentials =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'token'; readonly token: string };

export interface Target {
  /** http: or https:, without the protocol's path. */
  readonly url: string;
  readonly database: pg.ClientConfig;
  readonly credentials: Credentials;
  /** Reads the resources that the gateway has used so far; undefined if they are unknown. */
  readonly figures: () => Promise<Figures | undefined>;
  /** Reads the resident memory in bytes, after a garbage collection if possible. */
  readonly memory: () => Promise<number | undefined>;
  /** Requests a VM, and returns the HTTP status. Rejects if the gateway does not answer. */
  readonly readVmStatus: (hostname: string) => Promise<number>;
  /** Stops the gateway, or kills it, and starts it again; undefined for a remote target. */
  readonly restart: ((how: 'gracefully' | 'by kill') => Promise<void>) | undefined;
  readonly stop: () => Promise<void>;
}
