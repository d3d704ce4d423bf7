// Every metric of a gateway. Events are counted when they happen; states are read when the metrics
// are scraped. No label takes a value that a client chooses.

import { collectDefaultMetrics, Registry } from 'prom-client';
import { createCounters, createHistograms } from './counters.js';
import {
  createAuditGauge,
  createQueueGauge,
  registerGauges,
  type Observed,
  type ObservedSession,
  type StreamKind,
} from './gauges.js';

/** An answer over HTTP, as it is counted. */
export interface ObservedAnswer {
  readonly at: string;
  readonly route: string;
  readonly status: number;
  readonly problem: string | undefined;
}

/** The close codes of clients that are a label; a client can choose among thousands. */
const CLIENT_CLOSES: readonly number[] = [1000, 1001, 1005, 1006];

/** Makes the metrics of one gateway, in a registry of their own, and the functions that count. */
export function createMetrics() {
  const registry = new Registry();
  const counters = createCounters([registry]);
  const histograms = createHistograms([registry]);
  const audit = createAuditGauge([registry]);
  return {
    /** Registers the gauges, which read the states of these parts at every scrape. */
    observe(observed: Observed): void {
      registerGauges(observed, [registry]);
    },

    /** Returns the text that Prometheus reads, and its media type. */
    read: async () => {
      const all = Registry.merge([registry, getProcessRegistry()]);
      return { contentType: all.contentType, text: await all.metrics() };
    },

    ...countFeed(counters, histograms, createQueueGauge([registry])),
    ...countSessions(counters, histograms),
    presenceWritten: (agents: number) => counters.presenceWrites.inc(agents),
    leaseLost: () => counters.lostLeases.inc(),
    rowsPruned: (table: string, rows: number) => counters.prunedRows.inc({ table }, rows),
    /** The size is set by retention, so that no scrape waits for the database. */
    auditMeasured: (bytes: number) => audit.set(bytes),
    failedAbsent: (vms: number) => counters.absences.inc(vms),
    refused: (reason: string) => counters.limitsExceeded.inc({ reason }),
    answered: ({ at, route, status, problem }: ObservedAnswer) => {
      counters.answers.inc({ route, status });
      if (problem !== undefined) counters.refusals.inc({ at, code: problem });
    },
  };
}

type Counters = ReturnType<typeof createCounters>;
type Histograms = ReturnType<typeof createHistograms>;

function countFeed(
  counters: Counters,
  histograms: Histograms,
  queue: ReturnType<typeof createQueueGauge>,
) {
  return {
    notificationHandled: (channel: string, outcome: string) =>
      // The heartbeat's channel contains the name of the gateway.
      counters.notifications.inc({
        channel: outcome === 'heartbeat' ? 'heartbeat' : channel,
        outcome,
      }),
    notificationRejected: (reason: string) => counters.rejectedNotifications.inc({ reason }),
    notificationContradicted: () => counters.contradictedNotifications.inc(),
    heartbeatArrived: (roundTripMs: number) => histograms.heartbeat.observe(roundTripMs / 1_000),
    heartbeatMissed: (reason: string) => counters.missedHeartbeats.inc({ reason }),
    readStarted: (reason: string) => counters.resyncs.inc({ reason }),
    /** The usage is set with each check of the table, so that no scrape waits for the database. */
    queueUsageObserved: (usage: number) => queue.set(usage),
  };
}

function countSessions(counters: Counters, histograms: Histograms) {
  return {
    delivered: (kind: StreamKind, tookMs: number) =>
      histograms.delivery.observe({ kind }, tookMs / 1_000),
    opened: ({ stream, identity }: ObservedSession) =>
      counters.sessionsOpened.inc({ kind: stream.kind, role: identity.role }),
    /** @param code the close code of the socket. */
    closed: ({ closedWith }: ObservedSession, code: number) =>
      counters.sessionsClosed.inc(
        closedWith === undefined
          ? { by: 'client', code: CLIENT_CLOSES.includes(code) ? code : 'other' }
          : { by: 'gateway', code: closedWith.code },
      ),
    acknowledged: (tookSeconds: number) => histograms.acknowledgement.observe(tookSeconds),
  };
}

let processRegistry: Registry | undefined;

/**
 * Returns the metrics of the process itself, for example its event loop's lag. Their observers
 * cannot be ended, so all gateways of a process share one set.
 */
function getProcessRegistry(): Registry {
  if (processRegistry !== undefined) return processRegistry;
  processRegistry = new Registry();
  collectDefaultMetrics({ register: processRegistry });
  return processRegistry;
}
