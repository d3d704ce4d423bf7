// What a run of the model is about: a real gateway with short intervals on a real database, a link between them that can
// be spoiled, and clients who watch. A run begins with a table of few and a gateway that knows nothing.

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

/** Of a row, what steps decide. */
interface ModelVm {
  readonly status: string;
  readonly email: string | null;
}

/** What the table is after the steps so far. */
export interface TableModel {
  readonly vms: Map<string, ModelVm>;
  /** Versions were set back, and may be handed out twice: nobody can tell what came first. */
  wentBack: boolean;
}

const TIMING = {
  beatIntervalMs: 50,
  beatDeadlineMs: 400,
  checkIntervalMs: 50,
  fullReadIntervalMs: 500,
  sweepIntervalMs: 20,
  goodbyeMs: 100,
};

/** Beyond what any run takes to settle. */
const PATIENCE_MS = 30_000;

/** Everyone is there, so that steps find whom they are about. */
const BEGIN = `
  TRUNCATE vms, vm_events, vm_deliveries RESTART IDENTITY;
  SELECT setval('vms_version_seq', 1, false);
  INSERT INTO vms (hostname, status) VALUES ${NAMES.map((name) => `('${name}', 'available')`).join(', ')}`;

/** The table as a run begins. */
export const beginning = (): TableModel => ({
  vms: new Map(NAMES.map((name) => [name, { status: 'available', email: null }])),
  wentBack: false,
});

/** A gateway behind a link, and another in its place whenever it is told so. */
class Successive {
  #gateway: TestGateway | undefined;

  constructor(
    private readonly database: TestDatabase,
    private readonly link: Proxy,
  ) {}

  readonly connect: TestGateway['connect'] = async (...asked) => {
    if (this.#gateway === undefined) throw new Error('there is no gateway now');
    return this.#gateway.connect(...asked);
  };

  async start(waitReady: boolean): Promise<void> {
    const config = this.link.through(this.database.config);
    this.#gateway = await startGateway({ teardown: () => undefined }, this.database, {
      ...{ database: config, listenDatabase: config },
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
  private constructor(
    readonly database: TestDatabase,
    readonly link: Proxy,
    private readonly gateways: Successive,
    private readonly checker: Checker,
    private readonly stops: readonly (() => unknown)[],
  ) {}

  static async start(database: TestDatabase): Promise<ModelWorld> {
    const stops: (() => unknown)[] = [];
    const t = { teardown: (stop: () => unknown) => stops.push(stop) };
    await database.query(BEGIN);
    const link = await startProxy(t, database.config);
    const gateways = new Successive(database, link);
    t.teardown(() => gateways.stop());
    await gateways.start(true);
    const checker = await watch(t, gateways, NAMES);
    return new ModelWorld(database, link, gateways, checker, stops);
  }

  /** One of the sockets there are; none while all are lost. */
  client(index: number): RawClient | undefined {
    const { clients } = this.checker;
    return clients[index % clients.length];
  }

  /** Another process, which knows nothing; it is ready when it can be. */
  async replaceGateway(): Promise<void> {
    await this.gateways.stop();
    await this.gateways.start(false);
  }

  /** Nothing is spoiled any more; everyone ends at the table, and the table is what the steps made of it. */
  async settle(model: TableModel): Promise<void> {
    await this.link.heal();
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

  /** What anybody was shown that is wrong. */
  async judge({ wentBack }: TableModel): Promise<void> {
    const violations = await this.checker.violations(this.database);
    const counted = violations.filter(({ kind }) => !(wentBack && kind === 'backwards'));
    if (counted.length > 0) throw new Error(`clients saw ${JSON.stringify(counted)}`);
  }

  async end(): Promise<void> {
    for (const stop of this.stops.toReversed()) await stop();
  }
}
