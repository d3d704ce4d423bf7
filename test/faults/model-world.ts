// The subjects of the model: a real gateway with short intervals on a real database, links between
// them that can fail, and clients that watch. It serves run after run until a run fails. Each
// begins with a small table that every client knows.

import { isDeepStrictEqual } from 'node:util';
import type { TestDatabase } from '../helpers/database.js';
import { startGateway, type TestGateway } from '../helpers/gateway.js';
import { readTable } from '../helpers/model.js';
import type { RawClient } from '../helpers/raw-client.js';
import { watch, type Checker } from './checker.js';
import { startProxy, type Proxy } from './proxy.js';

/** The hostnames of a run; each has an agent. */
export const NAMES = ['a', 'b', 'c'] as const;
export type Name = (typeof NAMES)[number];

/** The part of a row that steps decide. */
interface ModelVm {
  readonly status: string;
  readonly email: string | null;
}

/** The table after the steps so far. */
export interface TableModel {
  readonly vms: Map<string, ModelVm>;
  /**
   * Versions were set back and may be assigned twice, so that no client can know which came first.
   */
  wentBack: boolean;
}

const TIMING = {
  beatIntervalMs: 50,
  beatDeadlineMs: 400,
  checkIntervalMs: 50,
  fullReadIntervalMs: 500,
  sweepIntervalMs: 20,
  closeHandshakeMs: 100,
};

/** Beyond what any run takes to settle. */
const PATIENCE_MS = 100_000;

/** More than a run makes. */
const VERSIONS_PER_RUN = 10_000;

/**
 * Every VM exists, so that each step finds the VM it names, with versions that no run before had.
 */
const begin = (run: number): string => `
  TRUNCATE vms, vm_events, vm_deliveries;
  SELECT setval('vms_version_seq', ${run * VERSIONS_PER_RUN});
  INSERT INTO vms (hostname, status) VALUES ${NAMES.map((name) => `('${name}', 'available')`).join(', ')}`;

/** The table as a run begins. */
export const beginning = (): TableModel => ({
  vms: new Map(NAMES.map((name) => [name, { status: 'available', email: null }])),
  wentBack: false,
});

/**
 * The ways to the database: what becomes of the one is nothing to the other. Where queries are
 * slow, news overtakes what is read.
 */
export interface Links {
  readonly queries: Proxy;
  readonly listen: Proxy;
}

/** A gateway behind links. A step may replace it by another. */
class Successive {
  #gateway: TestGateway | undefined;

  constructor(
    private readonly database: TestDatabase,
    private readonly links: Links,
  ) {}

  readonly connect: TestGateway['connect'] = async (...asked) => {
    if (this.#gateway === undefined) throw new Error('there is no gateway now');
    return this.#gateway.connect(...asked);
  };

  async start(waitReady: boolean): Promise<void> {
    const { config } = this.database;
    this.#gateway = await startGateway({ teardown: () => undefined }, this.database, {
      database: this.links.queries.through(config),
      listenDatabase: this.links.listen.through(config),
      ...{ timing: TIMING, drainMs: 20, waitReady },
    });
  }

  async stop(): Promise<void> {
    const gateway = this.#gateway;
    this.#gateway = undefined;
    await gateway?.app.close();
  }
}

export class ModelWorld {
  #runs = 0;

  private constructor(
    readonly database: TestDatabase,
    readonly links: Links,
    private readonly gateways: Successive,
    private readonly checker: Checker,
    private readonly stops: readonly (() => unknown)[],
  ) {}

  static async start(database: TestDatabase): Promise<ModelWorld> {
    const stops: (() => unknown)[] = [];
    const t = { teardown: (stop: () => unknown) => stops.push(stop) };
    const links = {
      queries: await startProxy(t, database.config),
      listen: await startProxy(t, database.config),
    };
    const gateways = new Successive(database, links);
    t.teardown(() => gateways.stop());
    await gateways.start(true);
    const checker = await watch(t, gateways, NAMES);
    return new ModelWorld(database, links, gateways, checker, stops);
  }

  /** A random open socket; undefined while all are lost. */
  client(index: number): RawClient | undefined {
    const { clients } = this.checker;
    return clients[index % clients.length];
  }

  /** Another process, which knows nothing; it is ready when it can be. */
  async replaceGateway(): Promise<void> {
    await this.gateways.stop();
    await this.gateways.start(false);
  }

  /** A run begins: see `beginning`. */
  async begin(): Promise<void> {
    await this.database.query(begin((this.#runs += 1)));
    await this.checker.settled(this.database, PATIENCE_MS);
    this.checker.forget();
  }

  /**
   * Nothing is spoiled any more; everyone ends at the table, and the table is what the steps made
   * of it.
   */
  async settle(model: TableModel): Promise<void> {
    for (const link of Object.values(this.links) as Proxy[]) await link.heal();
    for (const { ws } of this.checker.clients) ws.resume();
    await this.checker.settled(this.database, PATIENCE_MS);
    const table = [...(await readTable(this.database))].map(([hostname, { status, email }]) => [
      hostname,
      { status, email },
    ]);
    const made = [...model.vms];
    if (!isDeepStrictEqual(new Map(table as []), new Map(made)))
      throw new Error(`the table is ${JSON.stringify(table)}, not ${JSON.stringify(made)}`);
  }

  /** Every violation that a client has seen. */
  async judge({ wentBack }: TableModel): Promise<void> {
    const violations = await this.checker.violations(this.database);
    const counted = violations.filter(({ kind }) => !(wentBack && kind === 'backwards'));
    if (counted.length > 0) throw new Error(`clients saw ${JSON.stringify(counted)}`);
  }

  async end(): Promise<void> {
    for (const stop of this.stops.toReversed()) await stop();
  }
}
