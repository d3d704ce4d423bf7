// One pass: a scenario against one contender, from its start to the proof that nobody missed anything.

import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { AttackersHandlers } from './attackers.js';
import { Crowd } from './crowd.js';
import type { ObserverReport } from './observer.js';
import { Remote } from './rpc.js';
import { readTable } from './rows.js';
import type { Load, Scenario } from './scenarios.js';
import { type Contender, Server, type Workshop } from './servers.js';
import type { Paced, WriterHandlers } from './writer.js';

/** What connecting cost, and what a connected socket costs while nothing happens. */
export interface SocketCost {
  /** Until all were connected. */
  readonly connectUs: number;
  /** Of the server, for each socket. */
  readonly cpuUs: number;
  /** For each socket, in bytes. */
  readonly rss: number;
  readonly heap: number;
}

export interface PassResult extends ObserverReport {
  readonly contender: Contender;
  readonly changes: number;
  /** How far behind its schedule the writer itself was, at the 99th percentile. */
  readonly writerLatenessUs: number;
  /** Of the server, from the first change until everyone was told the last: one for each burst or pace. */
  readonly cpuUs: readonly number[];
  /** From the UPDATE of all rows until everyone was told: one for each burst. */
  readonly settledUs: readonly number[];
  readonly socketCost: SocketCost | undefined;
  /** How many rows some client saw otherwise than the table in the end. */
  readonly differences: number;
}

/** Who measures, and with what. */
export interface Bench extends Workshop {
  /** Of the table's owner. */
  readonly client: pg.Client;
}

/** Long enough that hot code has been compiled when it counts. */
const WARM_UP_MS = 1_500;
/** Enough for that too, and few beside those that are measured. */
const WARM_UP_SOCKETS = 100;
const IDLE_MS = 1_000;

export async function runPass(
  bench: Bench,
  scenario: Scenario,
  contender: Contender,
): Promise<PassResult> {
  const crowd = new Crowd(bench.pathOf('clients'), scenario, { env: bench.env });
  const writer = Remote.start<WriterHandlers>(bench.pathOf('writer'), { env: bench.env });
  let server: Server | undefined;
  let attackers: Remote<AttackersHandlers> | undefined;
  try {
    // Dead rows would slow the passes that come later.
    await bench.client.query('VACUUM ANALYZE vms');
    if (contender !== 'floor') server = await Server.start(contender, bench, scenario.name);
    if (contender === 'attacked') attackers = Remote.start(bench.pathOf('attackers'));
    return await new Pass(bench, scenario, contender, crowd, writer, server, attackers).run();
  } finally {
    await attackers?.stop();
    await Promise.all([crowd.stop(), writer.stop(), server?.stop()]);
  }
}

class Pass {
  readonly #cpuUs: number[] = [];
  readonly #settledUs: number[] = [];
  #differences = 0;
  /** Rows that did not change since need not be known: only the gateway tells the state first. */
  #sinceVersion = 0;

  constructor(
    private readonly bench: Bench,
    private readonly scenario: Scenario,
    private readonly contender: Contender,
    private readonly crowd: Crowd,
    private readonly writer: Remote<WriterHandlers>,
    private readonly server: Server | undefined,
    private readonly attackers: Remote<AttackersHandlers> | undefined,
  ) {}

  async run(): Promise<PassResult> {
    if (!this.#tellsState) {
      this.#sinceVersion = Math.max(...(await readTable(this.bench.client)).versions);
    }
    const socketCost = await this.#connect();
    await this.writer.call('connect');
    if (this.server !== undefined) await this.attackers?.call('attack', { url: this.server.url });
    const paced = await this.#change(this.scenario.load);
    return {
      contender: this.contender,
      ...(await this.crowd.report()),
      changes: paced?.changes ?? 0,
      writerLatenessUs: paced?.latenessUs ?? 0,
      cpuUs: this.#cpuUs,
      settledUs: this.#settledUs,
      socketCost,
      differences: this.#differences,
    };
  }

  get #tellsState(): boolean {
    return this.contender === 'gateway' || this.contender === 'attacked';
  }

  async #connect(): Promise<SocketCost | undefined> {
    const { crowd, server, scenario } = this;
    if (server === undefined) {
      await crowd.listen();
      return undefined;
    }
    const endpoint = { url: server.url, tellsState: this.#tellsState };
    if (scenario.load.kind === 'none') {
      await crowd.warmUp(endpoint, WARM_UP_SOCKETS);
      return await this.#costOf(server, () => crowd.connect(endpoint));
    }
    await crowd.connect(endpoint);
    return undefined;
  }

  async #costOf(server: Server, connect: () => Promise<number>): Promise<SocketCost> {
    const before = { ...(await server.memory()), cpuUs: await server.cpuUs() };
    const connectUs = await connect();
    const cpuUs = await server.cpuUs();
    await sleep(IDLE_MS);
    const after = await server.memory();
    const sockets = this.scenario.agents + this.scenario.dashboards;
    return {
      connectUs,
      cpuUs: (cpuUs - before.cpuUs) / sockets,
      rss: (after.rss - before.rss) / sockets,
      heap: (after.heap - before.heap) / sockets,
    };
  }

  async #change(load: Load): Promise<Paced | undefined> {
    switch (load.kind) {
      case 'pace':
        return await this.#pace(load);
      case 'bursts':
        await this.#bursts(load.count);
        return undefined;
      case 'none':
        await this.#compare();
        return undefined;
    }
  }

  async #pace({ perSecond, durationMs }: Load & { kind: 'pace' }): Promise<Paced> {
    const { writer, crowd } = this;
    const pace = { perSecond, rows: this.scenario.rows };
    await writer.call('pace', { ...pace, durationMs: WARM_UP_MS });
    await crowd.quiet();
    await crowd.record();
    const paced = await this.#costing(() => writer.call('pace', { ...pace, durationMs }));
    await this.#compare();
    return paced;
  }

  /** One more than counts: the first warms up. */
  async #bursts(count: number): Promise<void> {
    await this.writer.call('all');
    await this.crowd.quiet();
    await this.crowd.record();
    for (let i = 0; i < count; i++) {
      await this.bench.client.query('VACUUM ANALYZE vms');
      const { sentUs } = await this.#costing(() => this.writer.call('all'));
      this.#settledUs.push((await this.#compare()) - sentUs);
    }
  }

  /** Does it, waits until everyone has been told, and counts the server's CPU time. */
  async #costing<T>(act: () => Promise<T>): Promise<T> {
    const beforeUs = (await this.server?.cpuUs()) ?? 0;
    const result = await act();
    await this.crowd.quiet();
    this.#cpuUs.push(((await this.server?.cpuUs()) ?? 0) - beforeUs);
    return result;
  }

  /** Holds what everyone was told against the table; returns when the last was told. */
  async #compare(): Promise<number> {
    const table = await readTable(this.bench.client);
    const { differences, toldAtUs } = await this.crowd.compare(table, this.#sinceVersion);
    this.#differences += differences;
    return toldAtUs;
  }
}
