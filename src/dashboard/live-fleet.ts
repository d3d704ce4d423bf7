// The live fleet, outside of the components. Messages of the client library fill the store as they
// arrive; at most once per frame the changed rows move in the view and the components are notified.

import type { ConnectionState, Delivery, FleetWatch, Presence } from '../client/index.js';
import { readGatewayTime } from './clock.js';
import {
  ActivityLog,
  describeChange,
  describePresence,
  formatChangeKey,
} from './model/activity.js';
import { computeAckLatencyMs } from './model/delivery-labels.js';
import { FleetStore } from './model/fleet-store.js';
import type { Query } from './model/query.js';
import { describePastEvent, formatActor, type AuditEvent } from './model/history.js';
import { RateHistory } from './model/rate-history.js';
import { parseTime } from './model/time.js';
import { TableView } from './model/table-view.js';

const LATE_CHECK_MS = 1_000;

/** The frame that ends a current state says nothing about the VMs. */
const FEED_FRAME = '{"type":"feed"';

export class LiveFleet {
  readonly store: FleetStore;
  readonly view: TableView;
  readonly activity = new ActivityLog();
  /** Changes per second. */
  readonly changes = new RateHistory();
  /** The time until assignments were acknowledged, in ms, by second. */
  readonly deliveries = new RateHistory();
  /** Whether the fleet has been received at least once. */
  loaded = false;
  /** The state of the last failed attempt before the fleet was received; undefined if none. */
  lastOutage: ConnectionState | undefined;
  /** When the last frame arrived that belongs to a current state, in ms since the epoch. */
  #currentAtMs: number | undefined;
  /** Increases with every frame that has changes. */
  revision = 0;
  readonly #listeners = new Set<() => void>();
  #frameRequested = false;
  readonly #lateCheck: ReturnType<typeof setInterval>;

  constructor(
    private readonly watch: FleetWatch,
    query: Query,
  ) {
    this.store = new FleetStore({
      vm: (hostname, before, after) => {
        if (!this.loaded) return;
        this.changes.add(Date.now());
        const event = describeChange(before, after);
        const version = after === undefined ? null : after.version;
        if (event !== undefined) this.activity.add(hostname, event, Date.now(), version);
      },
      presence: (hostname, before, after) => {
        if (this.loaded) this.#recordPresence(hostname, before, after);
        else this.#recordEarlierDelivery(after?.delivery ?? undefined);
      },
    });
    this.view = new TableView(this.store.records, query);
    watch.on('update', (update) => {
      const nowMs = Date.now();
      for (const [hostname, { vm, presence }] of update) {
        this.store.setVm(hostname, vm, nowMs);
        this.store.setPresence(hostname, presence, nowMs);
      }
      if (!this.loaded) this.store.markLate(readGatewayTime());
      this.loaded = true;
      this.lastOutage = undefined;
      this.#requestFrame();
    });
    this.#lateCheck = setInterval(() => {
      if (!this.isOutdated && this.store.markLate(readGatewayTime())) this.#requestFrame();
    }, LATE_CHECK_MS);
    watch.on('frame', (text) => {
      if (this.connection.phase === 'live' && !text.startsWith(FEED_FRAME))
        this.#currentAtMs = Date.now();
    });
    watch.on('connection', (state) => {
      if (state.phase === 'live') this.#currentAtMs = Date.now();
      if (state.phase === 'reconnecting' && !this.loaded) this.lastOutage = state;
      this.#requestFrame();
    });
  }

  get connection(): ConnectionState {
    return this.watch.connection;
  }

  /**
   * The time that the VMs on the page are of, in ms since the epoch; undefined while they are
   * current, and if they never were.
   */
  get asOfMs(): number | undefined {
    return this.connection.phase === 'live' ? undefined : this.#currentAtMs;
  }

  /** Whether the page shows VMs that may have changed since. */
  get isOutdated(): boolean {
    return this.loaded && this.connection.phase !== 'live';
  }

  /** Connects at once if the page waits to reconnect. */
  reconnectNow(): void {
    this.watch.reconnectNow();
  }

  /** Resolves when the connection to the gateway has ended for good. */
  get closed(): FleetWatch['closed'] {
    return this.watch.closed;
  }

  /** Sets which VMs are shown, and in which order. */
  setQuery(query: Query): void {
    this.view.query = query;
    this.#requestFrame();
  }

  /** Adds the events from before the page was opened to the activity, the latest first. */
  addHistory(events: readonly AuditEvent[]): void {
    const earlier = events.flatMap((event) => {
      const activity = describePastEvent(event);
      const atMs = parseTime(event.at);
      if (activity === undefined || event.hostname === null || atMs === undefined) return [];
      const { hostname, version } = event;
      return [{ ...activity, hostname, atMs, version, actor: formatActor(event) }];
    });
    this.activity.addHistory(earlier);
    this.#requestFrame();
  }

  /** Sets who made the changes in the activity, as the audit says. */
  nameActors(events: readonly AuditEvent[]): void {
    const named = events.map((event) => {
      const version = event.op === 'delete' ? null : event.version;
      return [formatChangeKey(event.hostname ?? '', version), formatActor(event)] as const;
    });
    this.activity.nameActors(new Map(named));
    this.#requestFrame();
  }

  /**
   * Calls `listener` after each frame with changes.
   * @returns the function that removes it.
   */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Closes the connection to the gateway. */
  close(): void {
    clearInterval(this.#lateCheck);
    this.watch.close();
  }

  #recordPresence(
    hostname: string,
    before: Presence | undefined,
    after: Presence | undefined,
  ): void {
    const nowMs = Date.now();
    this.changes.add(nowMs);
    for (const event of describePresence(before, after)) this.activity.add(hostname, event, nowMs);
    const tookMs = computeAckLatencyMs(after?.delivery ?? undefined);
    const isNew = after?.delivery?.acked_at !== before?.delivery?.acked_at;
    if (tookMs !== undefined && isNew) this.deliveries.add(nowMs, tookMs);
  }

  /** Adds an acknowledgement from before the page was opened to the plot. */
  #recordEarlierDelivery(delivery: Delivery | undefined): void {
    const ackedMs = parseTime(delivery?.acked_at);
    const tookMs = computeAckLatencyMs(delivery);
    if (ackedMs !== undefined && tookMs !== undefined) this.deliveries.add(ackedMs, tookMs);
  }

  #requestFrame(): void {
    if (this.#frameRequested) return;
    this.#frameRequested = true;
    requestAnimationFrame(() => {
      this.#frameRequested = false;
      this.view.apply(this.store.takeChanged());
      this.revision++;
      for (const listener of this.#listeners) listener();
    });
  }
}
