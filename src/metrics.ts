// Every metric of a gateway, named once. What happens is counted when it is told; what is a state is looked at when
// somebody asks. No label takes a value that a stranger chooses.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A session as it is counted. */
export interface ObservedSession {
  /** What the gateway closed it with, if it did. */
  readonly closedWith: { readonly code: number } | undefined;
  readonly identity: { readonly role: string };
  readonly socket: { readonly bufferedAmount: number };
  readonly stream: { readonly kind: StreamKind; readonly state: string };
}

/** One VM's changes, or those of all. */
export type StreamKind = 'vm' | 'fleet';

/** An answer as it is counted: see http/answered.ts. */
export interface ObservedAnswer {
  readonly at: string;
  readonly route: string;
  readonly status: number;
  readonly problem: string | undefined;
}

/** What is looked at when the metrics are read. Nothing here may wait. */
export interface Observed {
  readonly sessions: Iterable<ObservedSession> & {
    readonly conflated: Readonly<Record<StreamKind, number>>;
  };
  readonly vms: () => Iterable<{ readonly status: string }>;
  /** What is known of agents. */
  readonly presence: () => Iterable<{ readonly online: boolean }>;
  readonly doubtfulRows: () => number;
  readonly live: () => boolean;
}

/** The statuses that are a label; others flow through, and any number of them is `other`. */
const STATUSES: readonly string[] = ['available', 'in-use', 'failed'];

/** How a client's end may end a socket, as a label; it can choose among thousands of codes. */
const CLIENT_CLOSES: readonly number[] = [1000, 1001, 1005, 1006];

/** From the flush gap of 4 ms, and a push in a fraction of it, to what a person would call broken. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** From an agent that acts at once to one whose VM had to be started. */
const ASSIGNMENT_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

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

function createCounters(registers: Registry[]) {
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers });
  return {
    /** Outcomes are those of feed/intake.ts. */
    notifications: counter(
      'lablink_notifications_total',
      'Notifications by LISTEN channel and by what became of them.',
      'channel',
      'outcome',
    ),
    /** Reasons are those of feed/notification.ts. */
    rejectedNotifications: counter(
      'lablink_notifications_rejected_total',
      'Payloads that none of the triggers sends, by reason.',
      'reason',
    ),
    /** Reasons are those of feed/heartbeat.ts. */
    missedHeartbeats: counter(
      'lablink_heartbeats_missed_total',
      'Heartbeats that did not arrive in time, by reason.',
      'reason',
    ),
    /** Reasons are those of feed/resync.ts. */
    resyncs: counter(
      'lablink_resyncs_total',
      'Reads of the whole table, or of doubtful rows, by reason.',
      'reason',
    ),
    sessionsOpened: counter(
      'lablink_sessions_opened_total',
      'Sessions opened, by what they watch (vm or fleet) and by role.',
      'kind',
      'role',
    ),
    /** What the gateway closes with is in protocol/close-codes.ts. */
    sessionsClosed: counter(
      'lablink_sessions_closed_total',
      'Sessions closed, by who closed (gateway or client) and by close code.',
      'by',
      'code',
    ),
    answers: counter(
      'lablink_http_answers_total',
      'Answers over HTTP, refused upgrades among them, by route and status.',
      'route',
      'status',
    ),
    /** Reasons are those of session/refusals.ts. */
    limitsExceeded: counter(
      'lablink_limits_exceeded_total',
      'What was turned away because it was too much, by reason: see Limits and drain.',
      'reason',
    ),
    refusals: counter(
      'lablink_refusals_total',
      'Requests (http) and upgrades (upgrade) answered with a problem, by its code.',
      'at',
      'code',
    ),
    presenceWrites: counter(
      'lablink_presence_writes_total',
      'Arrivals and departures of agents that this gateway wrote.',
    ),
    lostLeases: counter(
      'lablink_leases_lost_total',
      'Leases that ended because the database or the gateway stood still for too long.',
    ),
    absences: counter(
      'lablink_vms_failed_absent_total',
      'VMs that this gateway set failed because their agents stayed away.',
    ),
  };
}

function createHistograms(registers: Registry[]) {
  return {
    heartbeat: new Histogram({
      name: 'lablink_heartbeat_round_trip_seconds',
      help: 'From sending a heartbeat through the pool to hearing it.',
      buckets: SECONDS,
      registers,
    }),
    acknowledgement: new Histogram({
      name: 'lablink_assignment_acknowledged_seconds',
      help: 'From the making of an assignment to its first acknowledgement, of agents on this gateway.',
      buckets: ASSIGNMENT_SECONDS,
      registers,
    }),
    /** See delivery.ts for what is measured. */
    delivery: new Histogram({
      name: 'lablink_delivery_seconds',
      help: 'From the arrival of a notification (of a flush: its oldest) to the last socket it was sent to, by what they watch.',
      labelNames: ['kind'],
      buckets: SECONDS,
      registers,
    }),
  };
}

/**
 * What is not counted but is: looked at whenever the metrics are read.
 * @returns the one that must be told.
 */
function observeStates(observed: Observed, registers: Registry[]): Gauge {
  const { sessions } = observed;
  new Gauge({
    name: 'lablink_feed_live',
    help: '1 while the feed is live, 0 in a gap.',
    registers,
    collect() {
      this.set(Number(observed.live()));
    },
  });
  new Gauge({
    name: 'lablink_doubtful_rows',
    help: 'Rows that wait to be read; all of them, where everything is doubtful.',
    registers,
    collect() {
      this.set(observed.doubtfulRows());
    },
  });
  new Gauge({
    name: 'lablink_fleet_vms',
    help: 'VMs by status; statuses of no meaning to the gateway are other.',
    labelNames: ['status'],
    registers,
    collect() {
      const counts = countBy(observed.vms(), ({ status }) =>
        STATUSES.includes(status) ? status : 'other',
      );
      for (const status of [...STATUSES, 'other']) this.set({ status }, counts.get(status) ?? 0);
    },
  });
  new Gauge({
    name: 'lablink_agents',
    help: 'Agents that are known, by whether they are online at any gateway (yes) or away (no).',
    labelNames: ['online'],
    registers,
    collect() {
      const counts = countBy(observed.presence(), ({ online }) => (online ? 'yes' : 'no'));
      for (const online of ['yes', 'no']) this.set({ online }, counts.get(online) ?? 0);
    },
  });
  new Gauge({
    name: 'lablink_sessions',
    help: 'Open sessions by what they watch, by role, and whether live, behind or catching up.',
    labelNames: ['kind', 'role', 'state'],
    registers,
    collect() {
      this.reset();
      const counts = countBy(sessions, ({ identity, stream }) =>
        [stream.kind, identity.role, stream.state].join(' '),
      );
      for (const [key, count] of counts) {
        const [kind = '', role = '', state = ''] = key.split(' ');
        this.set({ kind, role, state }, count);
      }
    },
  });
  new Gauge({
    name: 'lablink_unsent_bytes',
    help: 'Bytes that wait in all sockets.',
    registers,
    collect() {
      let bytes = 0;
      for (const { socket } of sessions) bytes += socket.bufferedAmount;
      this.set(bytes);
    },
  });
  new Counter({
    name: 'lablink_conflated_changes_total',
    help: 'Changes left out for a socket that was behind or came back, because a later one of the VM took their place.',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset();
      for (const kind of ['vm', 'fleet'] as const) this.inc({ kind }, sessions.conflated[kind]);
    },
  });
  return new Gauge({
    name: 'lablink_notification_queue_ratio',
    help: "How full the server's queue of notifications was at the last check of the table; at 1 commits fail.",
    registers,
  });
}

/** Counts first: to tell prom-client of 18,000 sessions and 10,000 VMs one by one took 14 ms, this 4. */
function countBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) {
    const key = keyOf(item);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
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
