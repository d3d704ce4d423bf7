// The whole fleet to one socket: a snapshot or what changed since its cursor, then each flush as it comes. One that
// has no room falls behind and walks on from its own offset when it drains; live is whoever stands where the hub
// has flushed to.

import { formatCursor, type Cursor } from '../fleet/cursor.js';
import { isTombstone, type VmEntry } from '../fleet/entry.js';
import type { Frame, FleetSubscriber, Hub } from '../hub/hub.js';
import { formatChanges, readBatch, formatSnapshot, type Batch } from '../hub/batches.js';
import type { Projection } from '../hub/projection.js';
import { feedFrame, snapshotFrame } from '../../protocol/frames.js';
import { isWritable, type Socket } from './socket.js';
import type { Stream, StreamState } from './stream.js';

export class FleetStream implements FleetSubscriber, Stream {
  readonly kind = 'fleet';
  #offset = 0;
  #conflated = 0;
  /** The head when the snapshot under way began; undefined when none is. */
  #snapshotHead: number | undefined;
  #toldLive: boolean;
  #stopped = false;

  /** @param cursor where the client left off, if it says so. */
  constructor(
    private readonly hub: Hub,
    private readonly socket: Socket,
    readonly projection: Projection,
    private readonly cursor: Cursor | undefined,
  ) {
    this.#toldLive = hub.live;
  }

  get offset(): number {
    return this.#offset;
  }

  get lagging(): boolean {
    return this.#offset < this.hub.highWaterMark || this.#toldLive !== this.hub.live;
  }

  get state(): StreamState {
    if (this.#snapshotHead !== undefined) return 'catching_up';
    return this.lagging ? 'lagging' : 'live';
  }

  get conflated(): number {
    return this.#conflated;
  }

  start(): void {
    this.hub.subscribeToFleet(this);
    if (this.cursor !== undefined && this.hub.fleet.canResume(this.cursor)) {
      this.#offset = this.cursor.offset;
    } else {
      this.#startOver();
    }
    // The first part is owed even when it is empty: it tells the client that it is up to date.
    this.#sendPiece();
    this.#walk();
  }

  push(frame: Frame, to: number): void {
    if (!isWritable(this.socket)) return;
    this.#offset = to;
    this.socket.send(frame);
  }

  catchUp(): void {
    this.#walk();
  }

  sendFeedState(): void {
    if (this.#toldLive === this.hub.live || !isWritable(this.socket)) return;
    this.#toldLive = this.hub.live;
    this.socket.send(feedFrame(this.#toldLive));
  }

  sendPending(): void {
    this.sendFeedState();
    this.#walk();
  }

  stop(): void {
    this.#stopped = true;
    this.hub.unsubscribeFromFleet(this);
  }

  #walk(): void {
    while (!this.#stopped && this.#offset < this.hub.highWaterMark && isWritable(this.socket)) {
      if (this.#mayGoOn()) this.#sendPiece();
      else this.#startOver();
    }
  }

  /**
   * A deletion that this walk has not met yet may be forgotten by now; then only a new snapshot is right. One from
   * before a snapshot began is no loss to it: that VM never was in it.
   */
  #mayGoOn(): boolean {
    const { fleet } = this.hub;
    const offset = Math.max(this.#offset, this.#snapshotHead ?? 0);
    return fleet.canResume({ epoch: fleet.epoch, offset });
  }

  /** Begins a snapshot. One under way is ended, so that the client takes the next part for a first one. */
  #startOver(): void {
    const { fleet } = this.hub;
    const endsAnother = this.#snapshotHead !== undefined && this.#offset > 0;
    const cursor = formatCursor(fleet.epoch, this.#offset);
    this.#offset = 0;
    this.#snapshotHead = fleet.head;
    if (endsAnother) this.socket.send(snapshotFrame([], [], cursor));
  }

  #sendPiece(): void {
    const { hub, projection } = this;
    const whole = readBatch(hub.fleet, this.#offset, hub.highWaterMark);
    const piece =
      this.#snapshotHead === undefined ? whole : cutAtTombstone(whole, this.#snapshotHead);
    const last = piece !== whole || piece.to === hub.highWaterMark;
    const text = (entry: VmEntry): string => hub.projectRow(entry, projection);
    const skipped = piece.to - this.#offset - piece.entries.length;
    this.#offset = piece.to;
    if (this.#snapshotHead === undefined) {
      this.#conflated += skipped;
      this.socket.send(formatChanges(piece, text));
      return;
    }
    if (last) this.#snapshotHead = undefined;
    this.socket.send(formatSnapshot(piece, last, text));
  }
}

/**
 * A snapshot can only add, so one that is long under way ends before the first deletion made since it began; what
 * follows comes as changes.
 */
function cutAtTombstone(piece: Batch, snapshotHead: number): Batch {
  const at = piece.entries.findIndex((entry) => entry.offset > snapshotHead && isTombstone(entry));
  const marker = piece.entries[at];
  if (marker === undefined) return piece;
  return { ...piece, entries: piece.entries.slice(0, at), to: marker.offset - 1 };
}
