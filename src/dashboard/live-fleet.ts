// The fleet as it is watched, outside of what draws it: the SDK's watch fills the store as messages come, and at most
// once a frame what was touched moves in the view and those who draw are told.

import type { ConnectionState, Delivery, FleetWatch, Presence } from '../client/index.js';
import { ActivityLog, describeChange, describePresence } from './model/activity.js';
import { computeAckLatencyMs } from './model/delivery-labels.js';
import { FleetStore } from './model/fleet-store.js';
import type { Query } from './model/query.js';
import { describePastEvent, type AuditEvent } from './model/history.js';
import { RateHistory } from './model/rate-history.js';
import { parseTime } from './model/time.js';
import { TableView } from './model/table-view.js';

export class LiveFleet {
  readonly store: FleetStore;
  readonly view: TableView;
  readonly activity = new ActivityLog();
  /** Changes, by second. */
  readonly changes = new RateHistory();
  /** How long assignments took to be acknowledged, by second. */
  readonly deliveries = new RateHistory();
  /** Whether the fleet was ever told. */
  loaded = false;
  /** Another one after every frame with changes. */
  revision = 0;
  readonly #listeners = new Set<() => void>();
  #framed = false;

  constructor(
    private readonly watch: FleetWatch,
    query: Query,
  ) {
    this.store = new FleetStore({
      vm: (hostname, before, after) => {
        if (!this.loaded) return;
        this.changes.add(Date.now());
        const event = describeChange(before, after);
        if (event !== undefined) this.activity.add(hostname, event, Date.now());
      },
      presence: (hostname, before, after) => {
        if (this.loaded) this.#presenceChanged(hostname, before, after);
        else this.#deliveryKnown(after?.delivery ?? undefined);
      },
    });
    this.view = new TableView(this.store.records, query);
    watch.on('update', (update) => {
      const nowMs = Date.now();
      for (const [hostname, { vm, presence }] of update) {
        this.store.setVm(hostname, vm, nowMs);
        this.store.setPresence(hostname, presence, nowMs);
      }
      this.loaded = true;
      this.#requestFrame();
    });
    watch.on('connection', () => this.#requestFrame());
  }

  get connection(): ConnectionState {
    return this.watch.connection;
  }

  /** Resolves when the watch is over. */
  get closed(): FleetWatch['closed'] {
    return this.watch.closed;
  }

  setQuery(query: Query): void {
    this.view.query = query;
    this.#requestFrame();
  }

  /** What happened before the page was opened, the latest first. */
  addHistory(events: readonly AuditEvent[]): void {
    const earlier = events.flatMap((event) => {
      const activity = describePastEvent(event);
      const atMs = parseTime(event.at);
      if (activity === undefined || event.hostname === null || atMs === undefined) return [];
      return [{ ...activity, hostname: event.hostname, atMs }];
    });
    this.activity.addHistory(earlier);
    this.#requestFrame();
  }

  /** Calls `listener` after each frame with changes. @returns what removes it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.watch.close();
  }

  #presenceChanged(
    hostname: string,
    before: Presence | undefined,
    after: Presence | undefined,
  ): void {
    const nowMs = Date.now();
    this.changes.add(nowMs);
    for (const event of describePresence(before, after)) this.activity.add(hostname, event, nowMs);
    const tookMs = computeAckLatencyMs(after?.delivery ?? undefined);
    const isNews = after?.delivery?.acked_at !== before?.delivery?.acked_at;
    if (tookMs !== undefined && isNews) this.deliveries.add(nowMs, tookMs);
  }

  /** What was acknowledged before the page was opened belongs into the plot too. */
  #deliveryKnown(delivery: Delivery | undefined): void {
    const ackedMs = parseTime(delivery?.acked_at);
    const tookMs = computeAckLatencyMs(delivery);
    if (ackedMs !== undefined && tookMs !== undefined) this.deliveries.add(ackedMs, tookMs);
  }

  #requestFrame(): void {
    if (this.#framed) return;
    this.#framed = true;
    requestAnimationFrame(() => {
      this.#framed = false;
      this.view.apply(this.store.takeChanged());
      this.revision++;
      for (const listener of this.#listeners) listener();
    });
  }
}
