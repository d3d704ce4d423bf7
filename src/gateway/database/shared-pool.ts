// Shares the pool of requests: each request waits for its turn before it takes a connection, and no
// request waits for longer than the time limit.

import type pg from 'pg';
import type { ConnectionSource } from './connection-source.js';
import { FairQueue, type Claim, type QueueLimits } from './fair-queue.js';

/** The number of connections. */
export const REQUEST_CONNECTIONS = 8;

/** The shares of these connections. */
export const REQUEST_LIMITS: QueueLimits = {
  running: REQUEST_CONNECTIONS,
  runningBesidesReports: 7,
  runningOfPriority: { change: 4, read: 4, list: 2 },
  runningOfIdentity: { report: 3, change: 3, read: 3, list: 1 },
  waitingOfIdentity: 256,
  waitingOfPriority: 1_024,
};

/** How long a request may wait for its turn; also the time limit of a lock. */
const MAX_WAIT_MS = 5_000;

/** Too many requests waited for the database, or this one waited for too long. */
export class OverloadError extends Error {
  override readonly name = 'OverloadError';
}

interface Turn extends Claim {
  readonly start: () => void;
}

/** The pool of requests. */
export class SharedPool {
  readonly #queue: FairQueue<Turn>;

  constructor(
    private readonly pool: pg.Pool,
    limits: QueueLimits = REQUEST_LIMITS,
    private readonly maxWaitMs = MAX_WAIT_MS,
  ) {
    this.#queue = new FairQueue(limits);
  }

  /**
   * Returns the source of one request's connections.
   * @throws from `connect`: OverloadError if too many requests wait, or the request waited too long
   */
  share(claim: Claim): ConnectionSource {
    return { sharedPool: this.pool, connect: () => this.#connect(claim) };
  }

  async #connect(claim: Claim): Promise<pg.PoolClient> {
    const turn = await this.#waitForTurn(claim);
    try {
      const client = await this.pool.connect();
      const release = client.release.bind(client);
      // The pool sets `release` each time it hands out the client.
      client.release = (destroy) => {
        release(destroy);
        this.#end(turn);
      };
      return client;
    } catch (error) {
      this.#end(turn);
      throw error;
    }
  }

  #waitForTurn({ identity, priority }: Claim): Promise<Turn> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#queue.remove(turn);
        reject(new OverloadError('waited too long for a database connection'));
      }, this.maxWaitMs).unref();
      const start = (): void => {
        clearTimeout(timer);
        resolve(turn);
      };
      const turn: Turn = { identity, priority, start };
      if (this.#queue.add(turn)) {
        this.#startWaiting();
        return;
      }
      clearTimeout(timer);
      reject(new OverloadError('too many requests wait for a database connection'));
    });
  }

  #end(turn: Turn): void {
    this.#queue.remove(turn);
    this.#startWaiting();
  }

  #startWaiting(): void {
    for (let next = this.#queue.startNext(); next !== undefined; next = this.#queue.startNext())
      next.start();
  }
}
