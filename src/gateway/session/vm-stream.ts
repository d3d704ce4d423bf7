// One VM's state to one socket: the current one first, then each change at once. One that found no room is
// replaced by the latest when there is room again.

import type { RowEntry } from '../fleet/entry.js';
import type { Frame, Hub, VmSubscriber } from '../hub/hub.js';
import type { Projection } from '../hub/projection.js';
import { feedFrame } from '../../protocol/frames.js';
import { IN_USE } from '../../protocol/row.js';
import { isWritable, type Socket } from './socket.js';
import type { Stream, StreamState } from './stream.js';

export class VmStream implements VmSubscriber, Stream {
  readonly kind = 'vm';
  #behind = false;
  /** Whether a change found no room and has not been told since. */
  #owed = false;
  #conflated = 0;
  #toldLive: boolean;
  /** The last assignment that was written to the socket. */
  #assignmentId: string | undefined;

  /** @param onAssignment told of each assignment as it is written to the socket, once. */
  constructor(
    private readonly hub: Hub,
    private readonly socket: Socket,
    readonly hostname: string,
    readonly projection: Projection,
    private readonly onAssignment?: (hostname: string, assignmentId: string) => void,
  ) {
    this.#toldLive = hub.live;
  }

  get lagging(): boolean {
    return this.#behind;
  }

  get state(): StreamState {
    return this.#behind ? 'lagging' : 'live';
  }

  get conflated(): number {
    return this.#conflated;
  }

  start(): void {
    this.hub.subscribeToVm(this);
    this.#tell();
  }

  push(frame: Frame, entry: RowEntry): void {
    if (this.#owed) this.#conflated++;
    this.#owed = !isWritable(this.socket);
    if (this.#owed) this.#behind = true;
    else this.#send(frame, entry);
  }

  sendFeedState(): void {
    if (isWritable(this.socket)) this.#tellFeed();
    else this.#behind = true;
  }

  sendPending(): void {
    if (!this.#behind) return;
    this.#behind = false;
    this.#tell();
  }

  stop(): void {
    this.hub.unsubscribeFromVm(this);
  }

  #tell(): void {
    this.#owed = false;
    this.#tellFeed();
    this.#send(
      this.hub.formatVmState(this.hostname, this.projection),
      this.hub.fleet.get(this.hostname),
    );
  }

  #send(frame: Frame, entry: RowEntry | undefined): void {
    this.socket.send(frame);
    if (this.onAssignment === undefined || entry?.kind !== 'vm' || entry.status !== IN_USE) return;
    const { hostname, assignmentId } = entry;
    if (assignmentId === null || assignmentId === this.#assignmentId) return;
    this.#assignmentId = assignmentId;
    this.onAssignment(hostname, assignmentId);
  }

  #tellFeed(): void {
    if (this.#toldLive === this.hub.live) return;
    this.#toldLive = this.hub.live;
    this.socket.send(feedFrame(this.#toldLive));
  }
}
