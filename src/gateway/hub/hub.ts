// Keeps the subscribers and fans changes out to them. Subscribers of one VM receive each change at
// once; subscribers of the fleet share one frame per flush. Pure: the caller decides when to flush.

import { formatCursor } from '../fleet/cursor.js';
import type { FleetEntry, RowEntry } from '../fleet/entry.js';
import type { Fleet } from '../fleet/fleet.js';
import { absentFrame, vmFrame } from '../../protocol/frames.js';
import { formatChanges, readBatch, type EntryBatch } from './batches.js';
import type { Projection, RowProjector } from './projection.js';

/** A frame's payload, as text or as its UTF-8, which may be written to many sockets. */
export type Frame = string | Uint8Array;

/** A subscriber of one VM. Its methods are called by the hub and may unsubscribe. */
export interface VmSubscriber {
  readonly hostname: string;
  readonly projection: Projection;
  /** Called when the VM has changed to `entry`; `frame` is the message for it. */
  push(frame: Frame, entry: RowEntry): void;
  /** Called when `Hub.live` has changed. */
  sendFeedState(): void;
}

/** A subscriber of all VMs. Its methods are called by the hub and may unsubscribe. */
export interface FleetSubscriber {
  readonly projection: Projection;
  /** Everything up to this offset has been sent to the subscriber. */
  readonly offset: number;
  /**
   * Called with the changes from `offset` to `to`. Subscribers that are not writable ignore it.
   * @param cursor the position after the changes, as it stands in the frame
   */
  push(frame: Frame, to: number, cursor: string): void;
  /** Called when no shared frame can bring subscribers to `Hub.highWaterMark`: read the fleet. */
  catchUp(): void;
  /** Called when `Hub.live` has changed. */
  sendFeedState(): void;
}

export class Hub {
  readonly #vmSubscribers = new Map<string, Set<VmSubscriber>>();
  readonly #fleetSubscribers = new Set<FleetSubscriber>();
  #highWaterMark: number;
  #live = false;

  /**
   * @param projectRow returns a row's text in a subscriber's projection.
   * @param onPending called at the first change after a flush; it must arrange a call of `flush`.
   */
  constructor(
    readonly fleet: Fleet,
    readonly projectRow: RowProjector,
    private readonly onPending: () => void,
  ) {
    this.#highWaterMark = fleet.head;
  }

  /** The offset up to which fleet subscribers that do not lag have received everything. */
  get highWaterMark(): number {
    return this.#highWaterMark;
  }

  /** Whether the feed is live; false until the table has been read, and while the feed is stale. */
  get live(): boolean {
    return this.#live;
  }

  /** Adds a subscriber of one VM; the caller sends the current state (see `formatVmState`). */
  subscribeToVm(subscriber: VmSubscriber): void {
    const subscribers = this.#vmSubscribers.get(subscriber.hostname);
    if (subscribers === undefined)
      this.#vmSubscribers.set(subscriber.hostname, new Set([subscriber]));
    else subscribers.add(subscriber);
  }

  /** Removes a subscriber of one VM. May be called again, and while the hub pushes. */
  unsubscribeFromVm(subscriber: VmSubscriber): void {
    const subscribers = this.#vmSubscribers.get(subscriber.hostname);
    subscribers?.delete(subscriber);
    if (subscribers?.size === 0) this.#vmSubscribers.delete(subscriber.hostname);
  }

  /** Adds a fleet subscriber. Flushes first, so that it starts at the same offset as the others. */
  subscribeToFleet(subscriber: FleetSubscriber): void {
    this.flush();
    this.#fleetSubscribers.add(subscriber);
  }

  /** Removes a fleet subscriber. May be called again, and while the hub pushes. */
  unsubscribeFromFleet(subscriber: FleetSubscriber): void {
    this.#fleetSubscribers.delete(subscriber);
  }

  /**
   * Pushes an entry to the subscribers of its VM and leaves it to the next flush for the others.
   * Called for each entry that the fleet has just added.
   * @returns the number of VM subscribers it was pushed to.
   */
  publish(entry: FleetEntry): number {
    // Only the first change since the last flush has the next offset. The flush is requested before
    // anything can throw, because later changes do not request it again.
    if (entry.offset === this.#highWaterMark + 1) this.onPending();
    // Subscribers of one VM receive its row, never presence.
    if (entry.kind === 'presence') return 0;
    const subscribers = this.#vmSubscribers.get(entry.hostname);
    if (subscribers !== undefined) this.#pushToVm(subscribers, entry);
    return subscribers?.size ?? 0;
  }

  /** Formats the current state of one VM as a message; `absent` if the fleet has no row for it. */
  formatVmState(hostname: string, projection: Projection): string {
    const entry = this.fleet.get(hostname);
    return entry === undefined ? absentFrame(hostname) : this.#formatState(entry, projection);
  }

  /**
   * Sends all changes since the last flush to the fleet subscribers that do not lag.
   * @returns the number of pushes.
   */
  flush(): number {
    const { fleet } = this;
    let pushes = 0;
    if (!fleet.canResume({ epoch: fleet.epoch, offset: this.#highWaterMark })) this.#skipToHead();
    while (this.#highWaterMark < fleet.head) {
      const from = this.#highWaterMark;
      const batch = readBatch(fleet, from, fleet.head);
      // Advanced before sending: if a push throws, the subscribers not reached lag and catch up.
      this.#highWaterMark = batch.to;
      pushes += this.#flushBatch(batch, from, 'full');
      pushes += this.#flushBatch(batch, from, 'dashboard');
    }
    return pushes;
  }

  /** Records whether the feed is live and notifies all subscribers; pending changes go first. */
  setLive(live: boolean): void {
    if (live === this.#live) return;
    this.flush();
    this.#live = live;
    for (const subscribers of this.#vmSubscribers.values()) {
      for (const subscriber of subscribers) subscriber.sendFeedState();
    }
    for (const subscriber of this.#fleetSubscribers) subscriber.sendFeedState();
  }

  #pushToVm(subscribers: Set<VmSubscriber>, entry: RowEntry): void {
    for (const subscriber of subscribers)
      subscriber.push(this.#formatState(entry, subscriber.projection), entry);
  }

  #formatState(entry: RowEntry, projection: Projection): string {
    return entry.kind === 'vm'
      ? vmFrame(entry.status, this.projectRow(entry, projection))
      : absentFrame(entry.hostname);
  }

  /**
   * Tombstones were pruned before they were sent, as when a large table is emptied. Changes can no
   * longer describe what happened, so every subscriber reads the fleet.
   */
  #skipToHead(): void {
    this.#highWaterMark = this.fleet.head;
    for (const subscriber of this.#fleetSubscribers) subscriber.catchUp();
  }

  /** Pushes one frame to all subscribers at `from`; the frame is made only if there is one. */
  #flushBatch(batch: EntryBatch, from: number, projection: Projection): number {
    let frame: Frame | undefined;
    const cursor = formatCursor(batch.epoch, batch.to);
    let pushes = 0;
    for (const subscriber of this.#fleetSubscribers) {
      if (subscriber.projection !== projection || subscriber.offset !== from) continue;
      frame ??= Buffer.from(formatChanges(batch, (entry) => this.projectRow(entry, projection)));
      subscriber.push(frame, batch.to, cursor);
      pushes++;
    }
    return pushes;
  }
}
