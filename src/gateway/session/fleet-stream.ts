// Sends the whole fleet to one socket: first a snapshot, or the changes since the client's cursor,
// and then each flush. A stream whose socket is not writable lags, and catches up from its own
// offset when the socket drains. It is live when it has reached the hub's high-water mark.

import { formatCursor, type Cursor } from '../fleet/cursor.js';
import { isTombstone, type VmEntry } from '../fleet/entry.js';
import type { Frame, FleetSubscriber, Hub } from '../hub/hub.js';
import { formatChanges, formatSnapshot, readBatch, type EntryBatch } from '../hub/batches.js';
import type { Projection } from '../hub/projection.js';
import { feedFrame, snapshotFrame } from '../../protocol/frames.js';
import { isWritable, type Socket } from './socket.js';
import type { Stream, StreamState } from './stream.js';

export class FleetStream implements FleetSubscriber, Stream {
  readonly kind = 'fleet';
  #offset = 0;
  #conflated = 0;
  /** The fleet's head when the current snapshot began; undefined if no snapshot is under way. */
  #snapshotHead: number | undefined;
  /** The feed's state as it was last sent to the client. */
  #sentLive: boolean;
  #stopped = false;

  /** @param cursor the position where the client left off; undefined if it sent none. */
  constructor(
    private readonly hub: Hub,
    private readonly socket: Socket,
    readonly projection: Projection,
    private readonly cursor: Cursor | undefined,
  ) {
    this.#sentLive = hub.live;
  }

  get offset(): number {
    return this.#offset;
  }

  get lagging(): boolean {
    return this.#offset < this.hub.highWaterMark || this.#sentLive !== this.hub.live;
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
      this.#beginSnapshot();
    }
    // The first batch is sent even if it is empty: the client learns that it is up to date.
    this.#sendBatch();
    this.catchUp();
  }

  push(frame: Frame, to: number, cursor: string): void {
    if (!isWritable(this.socket)) return;
    this.#offset = to;
    this.socket.send(frame, cursor);
  }

  /** Sends batches up to the high-water mark for as long as the socket is writable. */
  catchUp(): void {
    while (!this.#stopped && this.#offset < this.hub.highWaterMark && isWritable(this.socket)) {
      if (this.#canContinue()) this.#sendBatch();
      else this.#beginSnapshot();
    }
  }

  sendFeedState(): void {
    if (this.#sentLive === this.hub.live || !isWritable(this.socket)) return;
    this.#sentLive = this.hub.live;
    this.socket.send(feedFrame(this.#sentLive));
  }

  sendPending(): void {
    this.sendFeedState();
    this.catchUp();
  }

  stop(): void {
    this.#stopped = true;
    this.hub.unsubscribeFromFleet(this);
  }

  /**
   * Whether no tombstone that the client still needs has been pruned; otherwise only a new snapshot
   * is right. A client in a snapshot needs none from before the snapshot began: it never received
   * those VMs.
   */
  #canContinue(): boolean {
    const { fleet } = this.hub;
    const offset = Math.max(this.#offset, this.#snapshotHead ?? 0);
    return fleet.canResume({ epoch: fleet.epoch, offset });
  }

  /**
   * Begins a snapshot. A snapshot under way is completed by an empty message, so that the client
   * takes the next message as the first of a new one.
   */
  #beginSnapshot(): void {
    const { fleet } = this.hub;
    const endsAnother = this.#snapshotHead !== undefined && this.#offset > 0;
    const cursor = formatCursor(fleet.epoch, this.#offset);
    this.#offset = 0;
    this.#snapshotHead = fleet.head;
    if (endsAnother) this.socket.send(snapshotFrame([], [], cursor), cursor);
  }

  #sendBatch(): void {
    const { hub, projection } = this;
    const whole = readBatch(hub.fleet, this.#offset, hub.highWaterMark);
    const batch =
      this.#snapshotHead === undefined ? whole : cutAtTombstone(whole, this.#snapshotHead);
    const last = batch !== whole || batch.to === hub.highWaterMark;
    const text = (entry: VmEntry): string => hub.projectRow(entry, projection);
    const skipped = batch.to - this.#offset - batch.entries.length;
    this.#offset = batch.to;
    const cursor = formatCursor(batch.epoch, batch.to);
    if (this.#snapshotHead === undefined) {
      this.#conflated += skipped;
      this.socket.send(formatChanges(batch, text), cursor);
      return;
    }
    if (last) this.#snapshotHead = undefined;
    this.socket.send(formatSnapshot(batch, last, text), last ? cursor : '');
  }
}

/**
 * Ends a batch of a snapshot before the first tombstone that was made since the snapshot began. A
 * snapshot can only add VMs, so the deletion and what follows are sent as changes.
 */
function cutAtTombstone(batch: EntryBatch, snapshotHead: number): EntryBatch {
  const at = batch.entries.findIndex((entry) => entry.offset > snapshotHead && isTombstone(entry));
  const tombstone = batch.entries[at];
  if (tombstone === undefined) return batch;
  return { ...batch, entries: batch.entries.slice(0, at), to: tombstone.offset - 1 };
}
