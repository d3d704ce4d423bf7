// A pass: a scenario against one contender, from its start to the proof that no client missed a
// change.

import { setTimeout as sleep } from 'node:timers/promises';
import { VirtualUsers } from '../../src/loadtest/virtual-users.js';
import {
  addReports,
  createEmptyReport,
  type VirtualUsersReport,
} from '../../src/loadtest/virtual-users-report.js';
import { nowUs } from '../../src/loadtest/clock.js';
import { Latencies } from '../../src/loadtest/latencies.js';
import { Remote } from '../../src/loadtest/rpc.js';
import { readTable } from '../../src/loadtest/rows.js';
import type { WriterHandlers } from '../../src/loadtest/writer-process.js';
import type { AttackersHandlers } from './attackers.js';
import { BadReaders, type BadReadersReport } from './bad-readers.js';
import { duringGap } from './gap.js';
import { watchGrowth, type Growth } from './growth-watch.js';
import type { Contender, Load, Pace, Scenario } from './scenarios.js';
import { chooseDatabase, CREDENTIALS, Server, type Bench } from './servers.js';
import { Floor, type Watchers } from './watchers.js';

/** The cost of connecting, and of a connected socket while nothing happens. */
export interface SocketCost {
  /** Until all were connected. */
  readonly connectUs: number;
  /** CPU time of the server, for each socket. */
  readonly cpuUs: number;
  /** For each socket, in bytes. */
  readonly rss: number;
  readonly heap: number;
}

export interface PassResult {
  readonly contender: Contender;
  readonly told: VirtualUsersReport;
  /** Changed rows, and those of them that an agent watches. */
  readonly changes: number;
  readonly agentChanges: number;
  readonly writerLateness: Latencies;
  /**
   * CPU time of the server, from the first change until every client had the last: a figure for
   * each burst or pace.
   */
  readonly cpuUs: number[];
  /**
   * Time until every client had the last change, or was back: a figure for each burst, gap or
   * storm.
   */
  readonly settledUs: number[];
  readonly socketCost: SocketCost | undefined;
  /**
   * Growth of the server's process while rows changed; undefined unless the scenario asks for it.
   */
  readonly grown: Growth | undefined;
  /** Outcomes of the bad readers; undefined if there were none, or if they cannot be known. */
  readonly badReaders: BadReadersReport | undefined;
  /** How many rows some client knew otherwise than the table in the end, or at the end of a gap. */
  readonly differences: number;
}

/**
 * Long enough that hot code has been compiled when it counts: after 1.5 s the compiler still took a
 * fifth of the CPU.
 */
const WARM_UP_MS = 5_000;
/**
 * By profile, to take the notifications of a burst in cost 83 ms of CPU at the first, and 39 at the
 * sixth.
 */
const WARM_UP_BURSTS = 5;
/** Enough for that too, and few beside those that are measured. */
const WARM_UP_SOCKETS = 100;
const IDLE_MS = 1_000;
/** How long a server that has fallen behind is waited for. */
const DEADLINE_MS = 20_000;
const CONNECT_DEADLINE_MS = 60_000;

export async function runPass(
  given: Bench,
  scenario: Scenario,
  contender: Contender,
): Promise<PassResult> {
  const bench = chooseDatabase(given, contender);
  const stops: (() => Promise<void>)[] = [];
  try {
    // Dead rows would slow the passes that come later.
    await bench.client.query('VACUUM ANALYZE vms');
    const { database, hasTriggers } = bench;
    const writer = Remote.start<WriterHandlers>(
      new URL('../../src/loadtest/writer-process.js', import.meta.url),
    );
    stops.push(() => writer.stop());
    await writer.call('connect', {
      ...{ database, agents: scenario.agents, setsVersion: !hasTriggers },
    });
    if (contender === 'floor') {
      const floor = await Floor.listen(database, scenario.rows);
      stops.push(() => floor.stop());
      return await new Pass(bench, scenario, contender, writer, floor, undefined).run();
    }
    const server = await Server.start(contender, bench, scenario.name);
    stops.push(() => server.stop());
    const crowd = new VirtualUsers(scenario);
    stops.push(() => crowd.stop());
    await crowd.join(server.endpoint, CREDENTIALS);
    return await new Pass(bench, scenario, contender, writer, crowd, { server, crowd }).run();
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

interface Served {
  readonly server: Server;
  readonly crowd: VirtualUsers;
}

class Pass {
  readonly #told = createEmptyReport();
  readonly #cpuUs: number[] = [];
  readonly #settledUs: number[] = [];
  #grown: Growth | undefined;
  #badReaders: BadReadersReport | undefined;
  #differences = 0;
  /** Rows that did not change since need not be known: only the gateway sends the state first. */
  #sinceVersion = 0;

  constructor(
    private readonly bench: Bench,
    private readonly scenario: Scenario,
    private readonly contender: Contender,
    private readonly writer: Remote<WriterHandlers>,
    private readonly watchers: Watchers,
    private readonly served: Served | undefined,
  ) {}

  async run(): Promise<PassResult> {
    if (this.served?.server.endpoint.sendsState !== true) {
      this.#sinceVersion = Math.max(...(await readTable(this.bench.client)).versions);
    }
    const socketCost = this.served && (await this.#connect(this.served));
    const attackers = await this.#attack();
    await this.#change(this.scenario.load);
    await attackers?.stop();
    const written = await this.writer.call('take');
    addReports(this.#told, await this.watchers.takeReports());
    const writerLateness = new Latencies();
    writerLateness.add(written.lateness);
    return {
      contender: this.contender,
      told: this.#told,
      changes: written.changes,
      agentChanges: written.agentChanges,
      writerLateness,
      cpuUs: this.#cpuUs,
      settledUs: this.#settledUs,
      socketCost,
      grown: this.#grown,
      badReaders: this.#badReaders,
      differences: this.#differences,
    };
  }

  async #connect({ server, crowd }: Served): Promise<SocketCost> {
    await warmUp(server);
    const before = { ...(await server.memory()), cpuUs: await server.cpuUs() };
    const fromUs = nowUs();
    await crowd.connect(Infinity);
    await crowd.waitUntilConnected(CONNECT_DEADLINE_MS);
    const connectUs = nowUs() - fromUs;
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

  /** The attackers join from here on. */
  async #attack(): Promise<Remote<AttackersHandlers> | undefined> {
    if (this.served === undefined || this.contender !== 'attacked') return undefined;
    const module = new URL('./attackers.js', import.meta.url);
    const attackers = Remote.start<AttackersHandlers>(module);
    await attackers.call('attack', { url: this.served.server.url });
    return attackers;
  }

  async #change(load: Load): Promise<void> {
    switch (load.kind) {
      case 'pace':
        await this.#pace(load);
        break;
      case 'stall':
        await this.#stall(load);
        break;
      case 'bursts':
        await this.#bursts(load.count);
        break;
      case 'gap':
        await this.#gaps(load);
        break;
      case 'storm':
        await this.#storms(load.count);
        break;
      case 'none':
        await this.#compare();
    }
  }

  async #pace(load: Pace): Promise<void> {
    await this.#warmUpPace(load);
    await this.#costing(() => this.#write(load));
    await this.#compare();
  }

  /**
   * The pace, beside clients who read badly from its beginning on; the gateway closes them after
   * its end.
   */
  async #stall(load: Pace): Promise<void> {
    const { served, contender } = this;
    await this.#warmUpPace(load);
    const growth = served && (await watchGrowth(served.server));
    const badReaders =
      served && contender !== 'gateway' ? await BadReaders.begin(served.server) : undefined;
    await this.#costing(() => this.#write(load));
    this.#grown = await growth?.end();
    await this.#compare();
    if (contender === 'stalled') this.#badReaders = await badReaders?.closed();
    await badReaders?.stop();
  }

  async #warmUpPace(load: Pace): Promise<void> {
    await this.#write({ ...load, durationMs: WARM_UP_MS });
    await this.#beginToCount();
  }

  async #write({ perSecond, batch, durationMs }: Pace): Promise<void> {
    const { rows } = this.scenario;
    await this.writer.callFor(durationMs, 'pace', { perSecond, batch, rows, durationMs });
  }

  async #bursts(count: number): Promise<void> {
    for (let i = 0; i < WARM_UP_BURSTS; i++) {
      await this.#burst();
      await this.watchers.waitUntilQuiet(DEADLINE_MS);
    }
    await this.#beginToCount();
    for (let i = 0; i < count; i++) {
      const { sentUs } = await this.#costing(() => this.#burst());
      this.#settledUs.push((await this.#compare()) - sentUs);
    }
  }

  async #burst(): Promise<{ sentUs: number }> {
    const { writer, bench, scenario } = this;
    // Dead rows would slow the next one.
    await bench.client.query('VACUUM ANALYZE vms');
    return writer.call('all', { rows: scenario.rows });
  }

  async #gaps({ changes, count }: Load & { kind: 'gap' }): Promise<void> {
    const { writer, bench, scenario } = this;
    const pace = { perSecond: 2 * changes, batch: 1, rows: scenario.rows, durationMs: 500 };
    await writer.call('pace', pace);
    await this.#beginToCount();
    for (let i = 0; i < count; i++) {
      const returnedUs = await duringGap(bench, () => writer.call('pace', pace));
      const toldAtUs = await this.#compare();
      this.#settledUs.push(Math.max(0, toldAtUs - returnedUs));
    }
  }

  async #storms(count: number): Promise<void> {
    const { served } = this;
    if (served === undefined) return;
    await this.#beginToCount();
    for (let i = 0; i < count; i++) {
      await sleep(IDLE_MS);
      const fromUs = nowUs();
      await this.#costing(async () => {
        await served.crowd.drop();
        await served.crowd.waitUntilConnected(CONNECT_DEADLINE_MS);
        this.#settledUs.push(nowUs() - fromUs);
      });
    }
    await this.#compare();
  }

  /** The rounds until now were the warm-up. */
  async #beginToCount(): Promise<void> {
    await this.watchers.waitUntilQuiet(DEADLINE_MS);
    await this.writer.call('take');
    await this.watchers.takeReports();
    await this.watchers.startRecording();
  }

  /** Runs `act`, waits until every client has the last change, and counts the server's CPU time. */
  async #costing<T>(act: () => Promise<T>): Promise<T> {
    const server = this.served?.server;
    const beforeUs = (await server?.cpuUs()) ?? 0;
    const result = await act();
    await this.watchers.waitUntilQuiet(DEADLINE_MS);
    this.#cpuUs.push(((await server?.cpuUs()) ?? 0) - beforeUs);
    return result;
  }

  /**
   * Compares what every client received with the table; returns when the last client has the last
   * change.
   */
  async #compare(): Promise<number> {
    await this.watchers.waitUntilQuiet(DEADLINE_MS);
    const table = await readTable(this.bench.client);
    const comparison = await this.watchers.compare(table, this.#sinceVersion);
    this.#differences += comparison.agents + comparison.dashboards;
    return comparison.lastReceivedUs;
  }
}

/** Connects some and lets them go, so that the server has run all of its code once. */
async function warmUp(server: Server): Promise<void> {
  const crowd = new VirtualUsers({ agents: WARM_UP_SOCKETS, dashboards: 1, rows: 20_000 });
  try {
    await crowd.join(server.endpoint, CREDENTIALS);
    await crowd.connect(Infinity);
    await crowd.waitUntilConnected(CONNECT_DEADLINE_MS);
  } finally {
    await crowd.stop();
  }
}
