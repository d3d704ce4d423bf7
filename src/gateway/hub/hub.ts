// Who watches what, and the fan-out of changes to them. Those who watch one VM are pushed to at once; those who
// watch all of them share one frame per flush. Pure: someone else says when to flush.

import type { Entry, RowEntry } from '../fleet/entry.js';
import type { Fleet } from '../fleet/fleet.js';
import { absentFrame, vmFrame } from '../../protocol/frames.js';
import { changesOf, nextPiece, type Piece } from './batches.js';
import type { RowText, View } from './projection.js';

/** A frame's text, ready to be written to many sockets. */
export type Frame = string | Uint8Array;

/** Someone who watches one VM. */
export interface VmWatcher {
  readonly hostname: string;
  readonly view: View;
  /** The VM's state changed to this; `frame` tells it. */
  push(frame: Frame, entry: RowEntry): void;
  /** The feed entered or left a gap: see `Hub.live`. */
  feedChanged(): void;
}

/** Someone who watches all VMs. */
export interface FleetWatcher {
  readonly view: View;
  /** The offset up to which this watcher has been told everything. */
  readonly offset: number;
  /** What changed from `offset` up to `to`. A watcher that has no room leaves it and walks later. */
  push(frame: Frame, to: number): void;
  /** There is more up to `Hub.flushedTo` than a frame for all can tell: walk. */
  catchUp(): void;
  /** The feed entered or left a gap: see `Hub.live`. */
  feedChanged(): void;
}

export class Hub {
  readonly #vmWatchers = new Map<string, Set<VmWatcher>>();
  readonly #fleetWatchers = new Set<FleetWatcher>();
  #flushedTo: number;
  #live = false;

  /**
   * @param onPending called at the first change after a flush: it must see to it that `flush` is called.
   */
  constructor(
    readonly fleet: Fleet,
    readonly rowText: RowText,
    private readonly onPending: () => void,
  ) {
    this.#flushedTo = fleet.head;
  }

  /** Up to where everyone who watches all VMs and keeps up has been told. */
  get flushedTo(): number {
    return this.#flushedTo;
  }

  /** False in a gap. */
  get live(): boolean {
    return this.#live;
  }

  watchVm(watcher: VmWatcher): void {
    const watchers = this.#vmWatchers.get(watcher.hostname);
    if (watchers === undefined) this.#vmWatchers.set(watcher.hostname, new Set([watcher]));
    else watchers.add(watcher);
  }

  unwatchVm(watcher: VmWatcher): void {
    const watchers = this.#vmWatchers.get(watcher.hostname);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#vmWatchers.delete(watcher.hostname);
  }

  /** Flushes first, so that the newcomer starts where the others are. */
  watchFleet(watcher: FleetWatcher): void {
    this.flush();
    this.#fleetWatchers.add(watcher);
  }

  unwatchFleet(watcher: FleetWatcher): void {
    this.#fleetWatchers.delete(watcher);
  }

  /**
   * Tells of an entry that the fleet has just learned.
   * @returns how many watch its VM and were told.
   */
  publish(entry: Entry): number {
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
  vmState(hostname: string, view: View): string {
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
      const piece = nextPiece(fleet, from, fleet.head);
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
      for (const watcher of watchers) watcher.feedChanged();
    }
    for (const watcher of this.#fleetWatchers) watcher.feedChanged();
  }

  #pushToVm(watchers: Set<VmWatcher>, entry: RowEntry): void {
    for (const watcher of watchers) watcher.push(this.#stateFrame(entry, watcher.view), entry);
  }

  #stateFrame(entry: RowEntry, view: View): string {
    return entry.kind === 'vm'
      ? vmFrame(entry.status, this.rowText(entry, view))
      : absentFrame(entry.hostname);
  }

  /** Deletions were forgotten before they were told, as when a large table is emptied: no changes say it all. */
  #skipToHead(): void {
    this.#flushedTo = this.fleet.head;
    for (const watcher of this.#fleetWatchers) watcher.catchUp();
  }

  /** One frame for all who stand at `from`; made only when someone is there to read it. */
  #flushPiece(piece: Piece, from: number, view: View): number {
    let frame: Frame | undefined;
    let handed = 0;
    for (const watcher of this.#fleetWatchers) {
      if (watcher.view !== view || watcher.offset !== from) continue;
      frame ??= Buffer.from(changesOf(piece, (entry) => this.rowText(entry, view)));
      watcher.push(frame, piece.to);
      handed++;
    }
    return handed;
  }
}
