// The timeline of a load test: every second it collects the reports of all processes into a sample.

import type { VirtualUsers } from './virtual-users.js';
import { addReports, createEmptyReport, type VirtualUsersReport } from './virtual-users-report.js';
import type { Figures } from './figures.js';
import { Latencies } from './latencies.js';
import type { Phase, Sample } from './result.js';
import type { Remote } from './rpc.js';
import { pause } from './pause.js';
import type { Target } from './target.js';
import type { WriterHandlers } from './writer-process.js';

const INTERVAL_MS = 1_000;

export class Timeline {
  /** The sum of the whole test. */
  readonly clients: VirtualUsersReport = createEmptyReport();
  readonly written = { changes: 0, agentChanges: 0, failed: 0, lateness: new Latencies() };
  readonly samples: Sample[] = [];
  readonly #startMs = performance.now();
  #takenMs = performance.now();
  #figures: Figures | undefined;

  constructor(
    private readonly virtualUsers: VirtualUsers,
    private readonly writer: Remote<WriterHandlers>,
    private readonly target: Pick<Target, 'figures'>,
    private readonly onSample: (sample: Sample) => void,
  ) {}

  /** Milliseconds since the test began. */
  get nowMs(): number {
    return performance.now() - this.#startMs;
  }

  /** Runs `act`, and takes a sample every second and at its end. */
  async during<T>(phase: Phase, act: () => Promise<T>): Promise<T> {
    const over = new AbortController();
    const sampling = this.#sampleUntil(phase, over.signal);
    try {
      return await act();
    } finally {
      over.abort();
      await sampling;
    }
  }

  async #sampleUntil(phase: Phase, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await pause(INTERVAL_MS, over);
      await this.#sample(phase);
    }
  }

  async #sample(phase: Phase): Promise<void> {
    const [reports, written, figures] = await Promise.all([
      this.virtualUsers.takeReports(),
      this.writer.call('take'),
      this.target.figures(),
    ]);
    const interval = createEmptyReport();
    addReports(interval, reports);
    addReports(this.clients, reports);
    this.written.changes += written.changes;
    this.written.agentChanges += written.agentChanges;
    this.written.failed += written.failed;
    this.written.lateness.add(written.lateness);

    const seconds = (performance.now() - this.#takenMs) / 1e3;
    this.#takenMs = performance.now();
    const usedUs = figures && this.#figures && figures.cpuUs - this.#figures.cpuUs;
    this.#figures = figures;
    const group = ({ delivered, latencies }: VirtualUsersReport['agents']) => ({
      delivered: delivered / seconds,
      latencyMs: latencies.percentiles(),
    });
    const sample: Sample = {
      atMs: this.nowMs,
      phase,
      connected: interval.connected,
      changes: written.changes / seconds,
      agents: group(interval.agents),
      dashboards: group(interval.dashboards),
      cpuShare: usedUs && usedUs / 1e6 / seconds,
      rssBytes: figures?.rss,
      loopLagMs: figures?.loopLagMs,
    };
    this.samples.push(sample);
    this.onSample(sample);
  }
}
