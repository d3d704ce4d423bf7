// Who watches what, and the fan-out of changes to them. Those who watch one VM are pushed to at once; those who
// watch all of them share one frame per flush. Pure: someone else says when to flush.

import type { FleetEntry, RowEntry } from '../fleet/entry.js';
import type { Fleet } from '../fleet/fleet.js';
import { absentFrame, vmFrame } from '../../protocol/frames.js';
import { formatChanges, readBatch, type Batch } from './batches.js';
import type { RowProjector, Projection } from './projection.js';

/** A frame's text, ready to be written to many sockets. */
export type Frame = string | Uint8Array;

/** Someone who watches one VM. */
export interface VmSubscriber {
  readonly hostname: string;
  readonly projection: Projection;
  /** The VM's state changed to this; `frame` tells it. */
  push(frame: Frame, entry: RowEntry): void;
  /** The feed entered or left a gap: see `Hub.live`. */
  sendFeedState(): void;
}

/** Someone who watches all VMs. */
export interface FleetSubscriber {
  readonly projection: Projection;
  /** The offset up to which this watcher has been told everything. */
  readonly offset: number;
  /** What changed from `offset` up to `to`. A watcher that has no room leaves it and walks later. */
  push(frame: Frame, to: number): void;
  /** There is more up to `Hub.flushedTo` than a frame for all can tell: walk. */
  catchUp(): void;
  /** The feed entered or left a gap: see `Hub.live`. */
  sendFeedState(): void;
}

export class Hub {
  readonly #vmWatchers = new Map<string, Set<VmSubscriber>>();
  readonly #fleetWatchers = new Set<FleetSubscriber>();
  #flushedTo: number;
  #live = false;

  /**
   * @param onPending called at the first change after a flush: it must see to it that `flush` is called.
   */
  constructor(
    readonly fleet: Fleet,
    readonly projectRow: RowProjector,
    private readonly onPending: () => void,
  ) {
    this.#flushedTo = fleet.head;
  }

  /** Up to where everyone who watches all VMs and keeps up has been told. */
  get highWaterMark(): number {
    return this.#flushedTo;
  }

  /** False in a gap. */
  get live(): boolean {
    return this.#live;
  }

  subscribeToVm(watcher: VmSubscriber): void {
    const watchers = this.#vmWatchers.get(watcher.hostname);
    if (watchers === undefined) this.#vmWatchers.set(watcher.hostname, new Set([watcher]));
    else watchers.add(watcher);
  }

  unsubscribeFromVm(watcher: VmSubscriber): void {
    const watchers = this.#vmWatchers.get(watcher.hostname);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#vmWatchers.delete(watcher.hostname);
  }

  /** Flushes first, so that the newcomer starts where the others are. */
  subscribeToFleet(watcher: FleetSubscriber): void {
    this.flush();
    this.#fleetWatchers.add(watcher);
  }

  unsubscribeFromFleet(watcher: FleetSubscriber): void {
    this.#fleetWatchers.delete(watcher);
  }

  /**
   * Tells of an entry that the fleet has just learned.
   * @returns how many watch its VM and were told.
   */
  publish(entry: FleetEntry): number {
    // The first change since the last flush, and only it, stands right behind it: asked for before anything
    // can fail, because nobody asks again.
    if (entry.offset === this.#flushedTo + 1) this.onPending();
    // Who watches one VM is told of its row alone.
    if (entry.kind === 'presence') return 0;
    const watchers = this.#vmWatchers.get(entry.hostname);
    if (watchers !== undefined) this.#pushToVm(watchers, entry);
    return watchers?.size ?? 0;
  }

  /** The current state of one VM, as a message. */
  formatVmState(hostname: string, view: Projection): string {
    const entry = this.fleet.get(hostname);
    return entry === undefined ? absentFrame(hostname) : this.#stateFrame(entry, view);
  }

  /**
   * Tells those who watch all VMs, and are up to date, what changed since the last flush.
   * @returns how many frames they were handed.
   */
  flush(): number {
    const { fleet } = this;
    let frames = 0;
    if (!fleet.canResume({ epoch: fleet.epoch, offset: this.#flushedTo })) this.#skipToHead();
    while (this.#flushedTo < fleet.head) {
      const from = this.#flushedTo;
      const piece = readBatch(fleet, from, fleet.head);
      // First: whoever is not reached, because a send failed, is behind and not forgotten.
      this.#flushedTo = piece.to;
      frames += this.#flushPiece(piece, from, 'full');
      frames += this.#flushPiece(piece, from, 'dashboard');
    }
    return frames;
  }

  /** The feed entered or left a gap. What was learned before is told before. */
  setLive(live: boolean): void {
    if (live === this.#live) return;
    this.flush();
    this.#live = live;
    for (const watchers of this.#vmWatchers.values()) {
      for (const watcher of watchers) watcher.sendFeedState();
    }
    for (const watcher of this.#fleetWatchers) watcher.sendFeedState();
  }

  #pushToVm(watchers: Set<VmSubscriber>, entry: RowEntry): void {
    for (const watcher of watchers)
      watcher.push(this.#stateFrame(entry, watcher.projection), entry);
  }

  #stateFrame(entry: RowEntry, view: Projection): string {
    return entry.kind === 'vm'
      ? vmFrame(entry.status, this.projectRow(entry, view))
      : absentFrame(entry.hostname);
  }

  /** Deletions were forgotten before they were told, as when a large table is emptied: no changes say it all. */
  #skipToHead(): void {
    this.#flushedTo = this.fleet.head;
    for (const watcher of this.#fleetWatchers) watcher.catchUp();
  }

  /** One frame for all who stand at `from`; made only when someone is there to read it. */
  #flushPiece(piece: Batch, from: number, view: Projection): number {
    let frame: Frame | undefined;
    let handed = 0;
    for (const watcher of this.#fleetWatchers) {
      if (watcher.projection !== view || watcher.offset !== from) continue;
      frame ??= Buffer.from(formatChanges(piece, (entry) => this.projectRow(entry, view)));
      watcher.push(frame, piece.to);
      handed++;
    }
    return handed;
  }
}
