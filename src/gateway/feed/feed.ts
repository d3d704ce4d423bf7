// The feed: keeps the fleet equal to the table, from the notification to the fleet's entry. It owns
// the source of notifications, the dispatcher, the reconciler, the resync, the heartbeat and the
// queue alarm, and the one reason why the gateway is not ready.
//
//   source ─▶ dispatcher ─▶ reconciler ─▶ fleet, output.publish
//   resync reads what is stale ─▶ reconciler

import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import type { Logger } from 'pino';
import { sendHeartbeat } from '../database/fleet-reads.js';
import { isSilence } from '../../postgres/errors.js';
import { isQueueFull, type Suspect } from '../database/notification-queue.js';
import type { ServerCheck } from '../database/server-identity.js';
import type { RowEntry } from '../fleet/entry.js';
import type { Fleet } from '../fleet/fleet.js';
import { Contradictions } from './contradictions.js';
import { Dispatcher, type NotificationOutcome } from './dispatcher.js';
import { FeedHeartbeat, type MissReason } from './heartbeat.js';
import {
  INVALIDATIONS_CHANNEL,
  PRESENCE_CHANNEL,
  REVOCATIONS_CHANNEL,
  ROWS_CHANNEL,
  type RejectReason,
} from './notification.js';
import { FeedProblem } from './problem.js';
import { createQueueAlarm } from './queue-alarm.js';
import type { QueueWatch } from './queue-watch.js';
import { describeReadFailure } from './read-failure.js';
import { Reconciler } from './reconciler.js';
import { Resync, type ResyncReason, type ResyncSettings } from './resync.js';
import { RepeatedWarnings } from '../stale/repeated-warnings.js';
import type { CreateSource, NotificationSource } from './source.js';
import { Standstill } from './standstill.js';
import { TableReader } from './table-reader.js';

/** Where the feed's results go. Must not throw. */
export interface FeedOutput {
  /** The fleet has a new entry; called in order and at once. */
  publish(entry: RowEntry): void;
  /** The presence of these hostnames must be read. */
  invalidatePresence(hostnames: readonly string[]): void;
  /** The list of revoked tokens must be read: it changed, or a notification may be lost. */
  invalidateRevocations(): void;
  setLive(live: boolean): void;
}

/** The feed's pool, and the ways to discard connections when the database seems to be away. */
export interface FeedConnections {
  readonly pool: pg.Pool;
  /** Compares the server of each transaction with that of LISTEN. */
  readonly servers: ServerCheck;
  /** Closes idle connections: they may lead nowhere. */
  discardIdle(): void;
  /** Closes the idle connections of the feed only. */
  discardFeedIdle(): void;
  /** Rejects if presence or requests have no connection, and the server refuses them one. */
  probeOthers(): Promise<void>;
  /** Closes all connections for feed and presence, so that their queries fail at once. */
  discardOutstanding(): void;
}

export interface FeedMetrics {
  notificationHandled(channel: string, outcome: NotificationOutcome): void;
  notificationRejected(reason: RejectReason): void;
  /** The table has a lower version than a notification had. */
  notificationContradicted(): void;
  heartbeatArrived(roundTripMs: number): void;
  heartbeatMissed(reason: MissReason): void;
  readStarted(reason: ResyncReason): void;
  /** @param usage from 0 to 1. */
  queueUsageObserved(usage: number): void;
}

export interface FeedTiming extends ResyncSettings {
  readonly beatIntervalMs: number;
  readonly beatDeadlineMs: number;
}

export interface FeedOptions {
  /** Names the process. */
  readonly gateway: string;
  readonly fleet: Fleet;
  readonly connections: FeedConnections;
  readonly createSource: CreateSource;
  readonly output: FeedOutput;
  /** Runs the handling of a notification and measures how long it takes to the sockets. */
  readonly measure: (handle: () => void) => void;
  readonly timing: FeedTiming;
  /** From 0 to 1: how full the queue of notifications may be before the log warns. */
  readonly queueWarningRatio: number | undefined;
  readonly metrics: FeedMetrics;
  readonly log: Logger;
}

/** Why the feed dropped its own connection; the reason to report is the heartbeat's. */
const HEARTBEAT_MISSED = new Error('no heartbeat arrived');
const SERVERS_SPLIT = new Error('a query reached another server');

export class Feed {
  readonly #problem = new FeedProblem();
  readonly #warnings: RepeatedWarnings;
  readonly #queue: QueueWatch<Suspect>;
  readonly #table: TableReader;
  readonly #reconciler: Reconciler;
  readonly #resync: Resync;
  readonly #standstill = new Standstill();
  readonly #heartbeat: FeedHeartbeat;
  readonly #dispatcher: Dispatcher;
  readonly #source: NotificationSource;
  /** A part of the heartbeat under way that no other session can guess. */
  #nonce = '';
  /** Why the database refused the last read; logged once until the feed is live. */
  #loggedRefusal: string | undefined;
  /** The server of the last heartbeat that arrived. */
  #server = '';

  constructor(private readonly options: FeedOptions) {
    const { fleet, output, metrics, log } = options;
    const { pool } = options.connections;
    this.#warnings = new RepeatedWarnings(log);
    this.#queue = createQueueAlarm({
      pool,
      warningRatio: options.queueWarningRatio,
      usageObserved: (usage) => metrics.queueUsageObserved(usage),
      log,
    });
    this.#table = new TableReader({
      pool,
      discardIdle: () => options.connections.discardFeedIdle(),
      probeOthers: () => options.connections.probeOthers(),
      queueUsageObserved: (usage) => this.#queue.observe(usage),
      log,
    });
    const contradictions = new Contradictions(log);
    this.#reconciler = new Reconciler(
      fleet,
      (entry) => output.publish(entry),
      (hostname) => {
        metrics.notificationContradicted();
        contradictions.record(hostname);
      },
    );
    this.#resync = this.#createResync();
    const channel = `lablink_gateway_${options.gateway}`;
    this.#heartbeat = this.#createHeartbeat(channel);
    this.#dispatcher = this.#createDispatcher();
    const channels = [
      ...[ROWS_CHANNEL, INVALIDATIONS_CHANNEL, PRESENCE_CHANNEL, REVOCATIONS_CHANNEL],
      channel,
    ];
    this.#source = options.createSource(channels, {
      connected: () => this.#sourceConnected(),
      disconnected: (reason) => this.#sourceDisconnected(reason),
      notification: (channel, payload) =>
        options.measure(() => this.#dispatcher.handle(channel, payload)),
    });
  }

  /** Whether the fleet is known to be the table, and changes arrive. */
  get live(): boolean {
    return this.#resync.live;
  }

  /** Whether the table was ever read completely. */
  get loaded(): boolean {
    return this.#resync.loaded;
  }

  /** Why the feed is not live, in words for an operator; undefined if it is. */
  get problem(): string | undefined {
    return this.live ? undefined : this.#problem.reason;
  }

  /** How many rows wait to be read. */
  get staleRows(): number {
    return this.#reconciler.staleRows;
  }

  /** How many rows cannot be read. */
  get unreadableRows(): number {
    return this.#table.unreadableRows;
  }

  /** Begins to listen; the schema must exist. */
  start(): void {
    this.#standstill.start();
    this.#resync.start();
    this.#source.start();
  }

  /** A query reached another server than LISTEN: everything connects again, to one server. */
  reconnectAfterSplit(): void {
    const { connections, log } = this.options;
    this.#problem.recordSplit();
    log.warn(this.#problem.reason);
    this.#resync.heartbeatMissed();
    connections.discardIdle();
    this.#source.reconnect(SERVERS_SPLIT);
  }

  async stop(): Promise<void> {
    this.#standstill.stop();
    this.#heartbeat.stop();
    this.#resync.stop();
    await this.#source.stop();
  }

  #createResync(): Resync {
    const { metrics, log, timing } = this.options;
    return new Resync(
      this.#reconciler,
      {
        read: (request, signal) => this.#table.read(request, signal),
        check: () => this.#table.check(),
      },
      {
        liveChanged: (live) => this.#liveChanged(live),
        reading: (request, reason) => {
          log.debug({ read: request.kind, reason }, 'reading the table');
          metrics.readStarted(reason);
        },
        failed: (err) => this.#readFailed(err),
        triggersOff: () => log.error('the triggers of vms are missing, changed or disabled'),
      },
      timing,
    );
  }

  #createHeartbeat(channel: string): FeedHeartbeat {
    const { connections, metrics, timing } = this.options;
    return new FeedHeartbeat(
      { intervalMs: timing.beatIntervalMs, deadlineMs: timing.beatDeadlineMs },
      {
        send: (beat) => {
          this.#nonce = randomBytes(8).toString('hex');
          return sendHeartbeat(connections.pool, channel, `${beat} ${this.#nonce}`);
        },
        arrived: (roundTripMs) => {
          metrics.heartbeatArrived(roundTripMs);
          this.#problem.recordHeartbeat();
          // Connections that were opened before may lead to the former server.
          if (connections.servers.setListening(this.#server)) connections.discardIdle();
          this.#resync.heartbeatArrived();
        },
        missed: (reason, err) => this.#heartbeatMissed(reason, err),
      },
      this.#standstill,
    );
  }

  #createDispatcher(): Dispatcher {
    const { output, metrics, log } = this.options;
    return new Dispatcher(this.#reconciler, this.#table.verify, {
      handled: (channel, outcome) => metrics.notificationHandled(channel, outcome),
      rejected: (channel, reason, length) => {
        this.#warnings.warn(log, { channel, reason, length }, 'rejected a payload');
        metrics.notificationRejected(reason);
      },
      invalidated: () => this.#resync.readSoon(),
      presenceInvalidated: (hostnames) => output.invalidatePresence(hostnames),
      revocationsInvalidated: () => output.invalidateRevocations(),
      heartbeat: (payload) => this.#receiveHeartbeat(payload),
      failed: (err) => {
        log.error({ err }, 'a notification could not be handled');
        this.#resync.rereadAll('check');
      },
    });
  }

  /** What the database refuses makes the feed stale; a lost connection is the heartbeat's. */
  #readFailed(err: unknown): void {
    const refusal = describeReadFailure(err);
    if (refusal !== undefined || !this.live) this.#problem.recordFailedRead(refusal);
    if (refusal === undefined) {
      this.#warnings.warn(this.options.log, { err }, 'could not read the table; trying again');
      return;
    }
    if (refusal !== this.#loggedRefusal)
      this.options.log.warn({ err, reason: refusal }, 'could not read the table; trying again');
    this.#loggedRefusal = refusal;
    // The next heartbeat tries again.
    this.#resync.heartbeatMissed();
  }

  #receiveHeartbeat(payload: string): void {
    const [beat = '', nonce, server] = payload.split(' ');
    if (server === undefined || nonce !== this.#nonce) return;
    this.#server = server;
    this.#heartbeat.receive(beat);
  }

  #liveChanged(live: boolean): void {
    const { fleet, output, log } = this.options;
    log.info({ vms: fleet.size }, live ? 'the feed is live' : 'the feed is stale');
    if (live) {
      this.#problem.clear();
      this.#loggedRefusal = undefined;
    }
    output.setLive(live);
  }

  #heartbeatMissed(reason: MissReason, err: unknown): void {
    const { connections, metrics, log } = this.options;
    const queueFull = isQueueFull(err);
    this.#problem.recordMissedHeartbeat(queueFull ? 'queue-full' : reason);
    metrics.heartbeatMissed(reason);
    if (queueFull) this.#queue.check();
    this.#warnings.warn(log, { err }, this.#problem.reason);
    this.#resync.heartbeatMissed();
    connections.discardIdle();
    // The network does not report that the LISTEN connection leads nowhere. Where the way of the
    // queries answers with an error, LISTEN would report its own loss.
    if (reason !== 'failed' || isSilence(err)) this.#source.reconnect(HEARTBEAT_MISSED);
  }

  #sourceConnected(): void {
    this.#problem.recordConnection();
    this.options.output.invalidateRevocations();
    this.#resync.sourceConnected();
    this.#heartbeat.start();
  }

  #sourceDisconnected(reason: Error): void {
    if (reason !== HEARTBEAT_MISSED && reason !== SERVERS_SPLIT)
      this.#problem.recordDisconnection();
    this.#warnings.warn(this.options.log, { err: reason }, 'not listening');
    this.#heartbeat.stop();
    this.options.connections.servers.setListening(undefined);
    this.#resync.sourceDisconnected();
    // The same failure may have silently ended other connections: a read, or the renewal of the
    // lease, would wait until it times out. HTTP requests keep their own deadlines.
    this.options.connections.discardOutstanding();
  }
}
