// Every metric of a gateway. What happens is counted when it is told; what is a state is looked at when somebody asks.
// No label takes a value that a stranger chooses.

import { collectDefaultMetrics, Registry } from 'prom-client';
import { createCounters, createHistograms } from './events.js';
import { observeStates, type Observed, type ObservedSession, type StreamKind } from './states.js';

/** An answer as it is counted: see http/problems/response-log.ts. */
export interface ObservedAnswer {
  readonly at: string;
  readonly route: string;
  readonly status: number;
  readonly problem: string | undefined;
}

/** How a client's end may end a socket, as a label; it can choose among thousands of codes. */
const CLIENT_CLOSES: readonly number[] = [1000, 1001, 1005, 1006];

/** Makes the metrics of one gateway, in a registry of their own, and what tells them what happens. */
export function createMetrics(observed: Observed) {
  const registers = [new Registry()];
  const counted = createCounters(registers);
  const measured = createHistograms(registers);
  const queue = observeStates(observed, registers);
  const all = Registry.merge([...registers, ofProcess()]);
  return {
    /** The text that Prometheus reads, and its media type. */
    read: async () => ({ contentType: all.contentType, text: await all.metrics() }),

    taken: (channel: string, outcome: string) =>
      // A heartbeat's channel carries the name of the gateway.
      counted.notifications.inc({
        channel: outcome === 'heartbeat' ? 'heartbeat' : channel,
        outcome,
      }),
    rejected: (reason: string) => counted.rejectedNotifications.inc({ reason }),
    heartbeatArrived: (roundTripMs: number) => measured.heartbeat.observe(roundTripMs / 1_000),
    heartbeatMissed: (reason: string) => counted.missedHeartbeats.inc({ reason }),
    reading: (reason: string) => counted.resyncs.inc({ reason }),
    /** The queue was looked at, with the table: nobody who reads metrics waits for a database. */
    queueSeen: (usage: number) => queue.set(usage),
    delivered: (kind: StreamKind, tookMs: number) =>
      measured.delivery.observe({ kind }, tookMs / 1_000),
    opened: ({ stream, identity }: ObservedSession) =>
      counted.sessionsOpened.inc({ kind: stream.kind, role: identity.role }),
    /** @param code what the socket ended with. */
    closed: ({ closedWith }: ObservedSession, code: number) =>
      counted.sessionsClosed.inc(
        closedWith === undefined
          ? { by: 'client', code: CLIENT_CLOSES.includes(code) ? code : 'other' }
          : { by: 'gateway', code: closedWith.code },
      ),
    acknowledged: (tookSeconds: number) => measured.acknowledgement.observe(tookSeconds),
    presenceWritten: (agents: number) => counted.presenceWrites.inc(agents),
    leaseLost: () => counted.lostLeases.inc(),
    failedAbsent: (vms: number) => counted.absences.inc(vms),
    refused: (reason: string) => counted.limitsExceeded.inc({ reason }),
    answered: ({ at, route, status, problem }: ObservedAnswer) => {
      counted.answers.inc({ route, status });
      if (problem !== undefined) counted.refusals.inc({ at, code: problem });
    },
  };
}

let processRegistry: Registry | undefined;

/**
 * The metrics of the process itself, its event loop's lag among them. Their observers cannot be ended, so all gateways
 * of a process share one set.
 */
function ofProcess(): Registry {
  if (processRegistry !== undefined) return processRegistry;
  processRegistry = new Registry();
  collectDefaultMetrics({ register: processRegistry });
  return processRegistry;
}
