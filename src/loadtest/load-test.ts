// Runs a load test: connects the clients, makes changes, and compares every client with the table
// at the end. A test that is ended early reports what it found until then.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import type { ReplicaComparison } from './clients.js';
import { VirtualUsers } from './virtual-users.js';
import { createEndpoint } from './endpoint.js';
import { formatFault, type ScheduledFault } from './faults.js';
import { inject } from './inject.js';
import { pause } from './pause.js';
import type { Plan } from './plan.js';
import type { LoadTestResult, Sample } from './result.js';
import { countRows, formatHostname, insertRows, readTable, removeRows } from './rows.js';
import { Remote } from './rpc.js';
import { summarize, type GatewaySample } from './summary.js';
import type { Target } from './target.js';
import { Timeline } from './timeline.js';
import type { WriterHandlers } from './writer-process.js';

export interface LoadTestOptions {
  readonly plan: Plan;
  readonly target: Target;
  /** A connection to the target's database. */
  readonly client: ClientBase;
  /** Ends the test early when it is aborted. */
  readonly signal: AbortSignal;
  readonly onSample: (sample: Sample) => void;
  /** The environment of the clients' processes; empty by default. */
  readonly clientEnvironment?: Readonly<Record<string, string>>;
}

/** The load test cannot run on this target. The message says why, and what to do. */
export class UnsuitableTargetError extends Error {
  override readonly name = 'RefusedError';
}

/** How long clients may take to settle when the test is ended early. */
const SETTLE_EARLY_MS = 5_000;
const POLL_MS = 50;
/** How long the test waits, after all clients have settled, for messages that should not come. */
const QUIET_MS = 2_000;

/** @throws UnsuitableTargetError before the test changes any row. */
export async function runLoadTest(options: LoadTestOptions): Promise<LoadTestResult> {
  const { client, plan, target } = options;
  await assertNoRows(client);
  const { agents, dashboards, vms: rows } = plan;
  const virtualUsers = new VirtualUsers({ agents, dashboards, rows }, options.clientEnvironment);
  const writer = Remote.start<WriterHandlers>(new URL('./writer-process.js', import.meta.url));
  try {
    await insertRows(client, rows);
    await assertGatewayKnowsRows(target);
    await virtualUsers.join(createEndpoint(target.url), target.credentials);
    await writer.call('connect', { database: target.database, agents, setsVersion: false });
    return await new LoadTest(options, virtualUsers, writer).run();
  } finally {
    await Promise.all([virtualUsers.stop(), writer.stop()]);
    await removeRows(client);
  }
}

async function assertNoRows(client: ClientBase): Promise<void> {
  const { others, own } = await countRows(client);
  if (others > 0) {
    throw new UnsuitableTargetError(
      `The table vms has ${others} rows that do not belong to a load test. The test would not change them, ` +
        'but its load would reach their clients. Use a separate database.',
    );
  }
  if (own > 0) {
    throw new UnsuitableTargetError(
      `The table vms has ${own} rows of another load test. If no load test is running, delete them: ` +
        `DELETE FROM vms WHERE hostname LIKE 'loadtest-%'`,
    );
  }
}

/** A gateway of another database would never send these rows. */
async function assertGatewayKnowsRows({ url, readVmStatus }: Target): Promise<void> {
  const status = await readVmStatus(formatHostname(0)).catch((error: unknown) => {
    throw new UnsuitableTargetError(`${url} does not answer.`, { cause: error });
  });
  if (status === 200) return;
  throw new UnsuitableTargetError(
    status === 404
      ? `The gateway at ${url} does not know the rows of this database: it uses another database.`
      : `The gateway at ${url} answers ${status} to a request for a VM: check the token, or the secret.`,
  );
}

class LoadTest {
  readonly #timeline: Timeline;
  readonly #faults: { fault: string; atMs: number; error?: string }[] = [];

  constructor(
    private readonly options: LoadTestOptions,
    private readonly virtualUsers: VirtualUsers,
    private readonly writer: Remote<WriterHandlers>,
  ) {
    this.#timeline = new Timeline(virtualUsers, writer, options.target, options.onSample);
  }

  async run(): Promise<LoadTestResult> {
    const timeline = this.#timeline;
    const before = await this.#sampleGateway();
    await timeline.during('connecting', () => this.#connect());
    const connected = await this.#sampleGateway();
    await timeline.during('load', () => this.#load());
    const settled = await timeline.during('settling', () => this.#settle());
    const after = { ...connected, ...(await this.#figures()) };
    return summarize({
      plan: this.options.plan,
      interrupted: this.#interrupted,
      timeline,
      faults: this.#faults,
      ...settled,
      gatewaySamples: { before, connected, after },
    });
  }

  get #interrupted(): boolean {
    return this.options.signal.aborted;
  }

  async #figures(): Promise<Pick<GatewaySample, 'atMs' | 'figures'>> {
    return { atMs: this.#timeline.nowMs, figures: await this.options.target.figures() };
  }

  async #sampleGateway(): Promise<GatewaySample> {
    // First, because a garbage collection takes a while, which is not part of the load.
    const rss = await this.options.target.memory();
    return { ...(await this.#figures()), rss };
  }

  /** Resolves when all clients are connected, or the time is up; the report has their number. */
  async #connect(): Promise<void> {
    const { plan, signal } = this.options;
    const stop = (): void => void this.virtualUsers.stopConnecting();
    signal.addEventListener('abort', stop);
    await this.virtualUsers.connect(plan.connectRate);
    signal.removeEventListener('abort', stop);
    const untilMs = this.#timeline.nowMs + plan.settleMs;
    while (!this.#interrupted && this.#timeline.nowMs < untilMs) {
      if (await this.#allConnected()) return;
      await pause(POLL_MS, signal);
    }
  }

  async #allConnected(): Promise<boolean> {
    const { agents, dashboards } = this.options.plan;
    return (await this.virtualUsers.countConnected()) === agents + dashboards;
  }

  async #load(): Promise<void> {
    const { plan, signal } = this.options;
    if (signal.aborted) return;
    const over = new AbortController();
    const stop = (): void => {
      void this.writer.call('stop');
      over.abort();
    };
    signal.addEventListener('abort', stop);
    await this.virtualUsers.startRecording();
    const faults = Promise.all(plan.faults.map((scheduled) => this.#fault(scheduled, over.signal)));
    const { rate: perSecond, batch, durationMs, vms: rows } = plan;
    await this.writer.callFor(durationMs, 'pace', { perSecond, batch, durationMs, rows });
    signal.removeEventListener('abort', stop);
    over.abort();
    await faults;
  }

  async #fault(scheduled: ScheduledFault, over: AbortSignal): Promise<void> {
    await pause(scheduled.atMs, over);
    if (over.aborted) return;
    const injected = { fault: formatFault(scheduled), atMs: this.#timeline.nowMs };
    const { target, client } = this.options;
    try {
      await inject(scheduled.fault, { virtualUsers: this.virtualUsers, target, client });
      this.#faults.push(injected);
    } catch (error) {
      this.#faults.push({
        ...injected,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }

  /** Resolves when all replicas equal the table and nothing more arrives, or the time is up. */
  async #settle(): Promise<{ comparison: ReplicaComparison; settledMs: number | undefined }> {
    const { client, signal, plan } = this.options;
    const startedMs = this.#timeline.nowMs;
    await this.virtualUsers.resume();
    const table = await readTable(client);
    for (;;) {
      const comparison = await this.virtualUsers.compare(table);
      const tookMs = this.#timeline.nowMs - startedMs;
      if (comparison.agents + comparison.dashboards === 0) {
        await this.virtualUsers.waitUntilQuiet(QUIET_MS);
        return { comparison: await this.virtualUsers.compare(table), settledMs: tookMs };
      }
      if (tookMs > (signal.aborted ? SETTLE_EARLY_MS : plan.settleMs)) {
        return { comparison, settledMs: undefined };
      }
      await sleep(POLL_MS);
    }
  }
}
