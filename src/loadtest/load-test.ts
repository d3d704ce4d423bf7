// One load test, from the connecting of its clients to the proof that nobody missed anything. Whoever ends it early
// gets what was found until then.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import type { Comparison } from './clients.js';
import { Crowd } from './virtual-users.js';
import { endpointOf } from './endpoint.js';
import { faultText, type ScheduledFault } from './faults.js';
import { inject } from './inject.js';
import { pause } from './pause.js';
import type { Plan } from './plan.js';
import type { LoadTestResult, Sample } from './result.js';
import { countRows, hostnameOf, readTable, removeRows, seed } from './rows.js';
import { Remote } from './rpc.js';
import { summarize, type Moment } from './summary.js';
import type { Target } from './target.js';
import { Timeline } from './timeline.js';
import type { WriterHandlers } from './writer-process.js';

export interface LoadTestOptions {
  readonly plan: Plan;
  readonly target: Target;
  /** Of the target's database. */
  readonly client: ClientBase;
  /** Aborted to end the test early. */
  readonly signal: AbortSignal;
  readonly onSample: (sample: Sample) => void;
}

/** The test cannot be made as asked. The message says why, and what to do. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** How long they may take where somebody waits for the report. */
const SETTLE_EARLY_MS = 5_000;
const POLL_MS = 50;
/** What comes after all was told would be too much, and is waited for this long at most. */
const QUIET_MS = 2_000;

/** @throws RefusedError before any row of others is touched */
export async function runLoadTest(options: LoadTestOptions): Promise<LoadTestResult> {
  const { client, plan, target } = options;
  await refuseOtherRows(client);
  const { agents, dashboards, vms: rows } = plan;
  const crowd = new Crowd({ agents, dashboards, rows });
  const writer = Remote.start<WriterHandlers>(new URL('./writer-process.js', import.meta.url));
  try {
    await seed(client, rows);
    await refuseOtherGateways(target);
    await crowd.join(endpointOf(target.url), target.credentials);
    await writer.call('connect', { database: target.database, agents });
    return await new LoadTest(options, crowd, writer).run();
  } finally {
    await Promise.all([crowd.stop(), writer.stop()]);
    await removeRows(client);
  }
}

async function refuseOtherRows(client: ClientBase): Promise<void> {
  const { others, own } = await countRows(client);
  if (others > 0) {
    throw new RefusedError(
      `The table vms holds ${others} rows that no load test made; it would change nothing of them, but their ` +
        'watchers would be in its load, and it in theirs. Give it a database of its own.',
    );
  }
  if (own > 0) {
    throw new RefusedError(
      `The table vms holds ${own} rows of another load test. If none runs any more, delete them: ` +
        `DELETE FROM vms WHERE hostname LIKE 'loadtest-%'`,
    );
  }
}

/** A gateway of another database would be waited for in vain. */
async function refuseOtherGateways({ url, statusOf }: Target): Promise<void> {
  const status = await statusOf(hostnameOf(0)).catch((error: unknown) => {
    throw new RefusedError(`${url} does not answer.`, { cause: error });
  });
  if (status === 200) return;
  throw new RefusedError(
    status === 404
      ? `The gateway at ${url} does not know this database's rows: it is one of another database.`
      : `The gateway at ${url} answers ${status} when it is asked for a VM: look at the token, or the secret.`,
  );
}

class LoadTest {
  readonly #timeline: Timeline;
  readonly #faults: { fault: string; atMs: number; error?: string }[] = [];

  constructor(
    private readonly options: LoadTestOptions,
    private readonly crowd: Crowd,
    private readonly writer: Remote<WriterHandlers>,
  ) {
    this.#timeline = new Timeline(crowd, writer, options.target, options.onSample);
  }

  async run(): Promise<LoadTestResult> {
    const timeline = this.#timeline;
    const before = await this.#moment();
    await timeline.during('connecting', () => this.#connect());
    const connected = await this.#moment();
    await timeline.during('load', () => this.#load());
    const settled = await timeline.during('settling', () => this.#settle());
    const after = { ...connected, ...(await this.#figures()) };
    return summarize({
      plan: this.options.plan,
      interrupted: this.#interrupted,
      ...{ timeline, faults: this.#faults, ...settled },
      moments: { before, connected, after },
    });
  }

  get #interrupted(): boolean {
    return this.options.signal.aborted;
  }

  async #figures(): Promise<Pick<Moment, 'atMs' | 'figures'>> {
    return { atMs: this.#timeline.nowMs, figures: await this.options.target.figures() };
  }

  async #moment(): Promise<Moment> {
    // First: it takes a while, which is nobody's load.
    const rss = await this.options.target.memory();
    return { ...(await this.#figures()), rss };
  }

  /** Resolves when all are connected, or are not in time: the report says how many are. */
  async #connect(): Promise<void> {
    const { plan, signal } = this.options;
    const stop = (): void => void this.crowd.stopConnecting();
    signal.addEventListener('abort', stop);
    await this.crowd.connect(plan.connectRate);
    signal.removeEventListener('abort', stop);
    const untilMs = this.#timeline.nowMs + plan.settleMs;
    while (!this.#interrupted && this.#timeline.nowMs < untilMs) {
      if (await this.#allConnected()) return;
      await pause(POLL_MS, signal);
    }
  }

  async #allConnected(): Promise<boolean> {
    const { agents, dashboards } = this.options.plan;
    return (await this.crowd.connected()) === agents + dashboards;
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
    await this.crowd.record();
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
    const made = { fault: faultText(scheduled), atMs: this.#timeline.nowMs };
    const { target, client } = this.options;
    try {
      await inject(scheduled.fault, { crowd: this.crowd, target, client });
      this.#faults.push(made);
    } catch (error) {
      this.#faults.push({ ...made, error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Resolves when no client differs from the table any more and nothing comes after that, or the time is up. */
  async #settle(): Promise<{ comparison: Comparison; settledMs: number | undefined }> {
    const { client, signal, plan } = this.options;
    const beganMs = this.#timeline.nowMs;
    await this.crowd.resume();
    const table = await readTable(client);
    for (;;) {
      const comparison = await this.crowd.compare(table);
      const tookMs = this.#timeline.nowMs - beganMs;
      if (comparison.agents + comparison.dashboards === 0) {
        await this.crowd.quiet(QUIET_MS);
        return { comparison: await this.crowd.compare(table), settledMs: tookMs };
      }
      if (tookMs > (signal.aborted ? SETTLE_EARLY_MS : plan.settleMs)) {
        return { comparison, settledMs: undefined };
      }
      await sleep(POLL_MS);
    }
  }
}
