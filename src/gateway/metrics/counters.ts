// The counters and histograms: metrics of events, each named once.

import { Counter, Histogram, type Registry } from 'prom-client';

/** Buckets in seconds: from a fraction of the flush gap of 4 ms to an obvious failure. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Buckets in seconds: from an agent that acts at once to one whose VM had to be started. */
const ASSIGNMENT_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

export function createCounters(registers: Registry[]) {
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers });
  return {
    /** The outcomes are defined in feed/dispatcher.ts. */
    notifications: counter(
      'lablink_notifications_total',
      'Notifications by LISTEN channel and by outcome.',
      'channel',
      'outcome',
    ),
    /** The reasons are defined in feed/notification.ts. */
    rejectedNotifications: counter(
      'lablink_notifications_rejected_total',
      'Rejected payloads, which no trigger of the schema sends, by reason.',
      'reason',
    ),
    contradictedNotifications: counter(
      'lablink_notifications_contradicted_total',
      'Notifications with a version that the table does not have: forged, or the database went back.',
    ),
    /** The reasons are defined in feed/heartbeat.ts. */
    missedHeartbeats: counter(
      'lablink_heartbeats_missed_total',
      'Heartbeats that did not arrive in time, by reason.',
      'reason',
    ),
    /** The reasons are defined in feed/resync.ts. */
    resyncs: counter(
      'lablink_resyncs_total',
      'Reads of the whole table, or of stale rows, by reason.',
      'reason',
    ),
    sessionsOpened: counter(
      'lablink_sessions_opened_total',
      'Sessions opened, by what they watch (vm or fleet) and by role.',
      'kind',
      'role',
    ),
    /** The close codes of the gateway are defined in protocol/close-codes.ts. */
    sessionsClosed: counter(
      'lablink_sessions_closed_total',
      'Sessions closed, by who closed (gateway or client) and by close code.',
      'by',
      'code',
    ),
    answers: counter(
      'lablink_http_answers_total',
      'Answers over HTTP, including rejected upgrades, by route and status.',
      'route',
      'status',
    ),
    /** The reasons are defined in session/limits.ts. */
    limitsExceeded: counter(
      'lablink_limits_exceeded_total',
      'Requests, connections and messages rejected by a limit, by reason: see Limits and drain.',
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
      'Connects and disconnects of agents that this gateway wrote to the database.',
    ),
    lostLeases: counter(
      'lablink_leases_lost_total',
      'Leases that ended because the database or the gateway stood still for too long.',
    ),
    /** The tables are defined in database/retention.ts. */
    prunedRows: counter(
      'lablink_pruned_rows_total',
      'Old rows that this gateway removed, by table.',
      'table',
    ),
    absences: counter(
      'lablink_vms_failed_absent_total',
      'VMs that this gateway set failed because their agents stayed away.',
    ),
  };
}

export function createHistograms(registers: Registry[]) {
  return {
    heartbeat: new Histogram({
      name: 'lablink_heartbeat_round_trip_seconds',
      help: 'From sending a heartbeat through the pool to receiving it.',
      buckets: SECONDS,
      registers,
    }),
    acknowledgement: new Histogram({
      name: 'lablink_assignment_acknowledged_seconds',
      help: 'From the creation of an assignment to its first acknowledgement, for agents on this gateway.',
      buckets: ASSIGNMENT_SECONDS,
      registers,
    }),
    /** Measured by hub/push-latency.ts. */
    delivery: new Histogram({
      name: 'lablink_delivery_seconds',
      help: 'From the arrival of a notification (the oldest one of a flush) to the last socket it was sent to, by what the sockets watch.',
      labelNames: ['kind'],
      buckets: SECONDS,
      registers,
    }),
  };
}
