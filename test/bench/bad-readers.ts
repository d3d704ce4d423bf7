// Bad readers beside the measured clients, and their fate at a gateway. A dashboard reads nothing,
// another reads a byte a second, and an agent sends without end.

import { setTimeout as sleep } from 'node:timers/promises';
import { Remote } from '../../src/loadtest/rpc.js';
import type { BadReadersHandlers } from './bad-readers-process.js';
import type { Server } from './servers.js';

/** The dashboards of them. */
const STUCK = 2;
const LOOK_MS = 250;
/** Two heartbeats without progress are too many; a heartbeat is 25 s. */
const DEADLINE_MS = 90_000;

export interface BadReadersReport {
  /** From when they came until the last that was stuck was closed; undefined where one was not. */
  readonly closedMs: number | undefined;
  /** How often the one who talks was closed for it. */
  readonly turnedAway: number;
}

export class BadReaders {
  readonly #sinceMs = performance.now();

  private constructor(
    private readonly server: Server,
    private readonly remote: Remote<BadReadersHandlers>,
  ) {}

  static async begin(server: Server): Promise<BadReaders> {
    const module = new URL('./bad-readers-process.js', import.meta.url);
    const remote = Remote.start<BadReadersHandlers>(module);
    await remote.call('begin', { url: server.url });
    return new BadReaders(server, remote);
  }

  /** Resolves when the gateway has closed all that are stuck, or has had time enough. */
  async closed(): Promise<BadReadersReport> {
    const elapsedMs = (): number => performance.now() - this.#sinceMs;
    while ((await this.#closedWith(4408)) < STUCK) {
      if (elapsedMs() > DEADLINE_MS) {
        return { closedMs: undefined, turnedAway: await this.#closedWith(4429) };
      }
      await sleep(LOOK_MS);
    }
    return { closedMs: elapsedMs(), turnedAway: await this.#closedWith(4429) };
  }

  stop(): Promise<void> {
    return this.remote.stop();
  }

  /**
   * How many of these sockets the gateway has closed. The readers cannot report it: they do not
   * read.
   */
  async #closedWith(code: number): Promise<number> {
    const text = await (await fetch(`${this.server.url}/metrics`)).text();
    const series = `lablink_sessions_closed_total{by="gateway",code="${code}"} `;
    const line = text.split('\n').find((line) => line.startsWith(series));
    return line === undefined ? 0 : Number(line.slice(series.length));
  }
}
