// Sends one VM's state to one socket: first the current state, then each change at once. Changes
// that come while the socket is not writable are replaced by the latest state when it drains.

import type { RowEntry } from '../fleet/entry.js';
import type { Frame, Hub, VmSubscriber } from '../hub/hub.js';
import type { Projection } from '../hub/projection.js';
import { feedFrame } from '../../protocol/frames.js';
import { IN_USE } from '../../protocol/row.js';
import { isWritable, type Socket } from './socket.js';
import type { Stream, StreamState } from './stream.js';

export class VmStream implements VmSubscriber, Stream {
  readonly kind = 'vm';
  #lagging = false;
  /** Whether the latest change was not sent because the socket was not writable. */
  #pending = false;
  #conflated = 0;
  /** The feed's state as it was last sent to the client. */
  #sentLive: boolean;
  /** The last assignment that was sent to the socket. */
  #assignmentId: string | undefined;

  /** @param onAssignment called once for each assignment, when it has been sent to the socket. */
  constructor(
    private readonly hub: Hub,
    private readonly socket: Socket,
    readonly hostname: string,
    readonly projection: Projection,
    private readonly onAssignment?: (hostname: string, assignmentId: string) => void,
  ) {
    this.#sentLive = hub.live;
  }

  get lagging(): boolean {
    return this.#lagging;
  }

  get state(): StreamState {
    return this.#lagging ? 'lagging' : 'live';
  }

  get conflated(): number {
    return this.#conflated;
  }

  start(): void {
    this.hub.subscribeToVm(this);
    this.#sendState();
  }

  push(frame: Frame, entry: RowEntry): void {
    if (this.#pending) this.#conflated++;
    this.#pending = !isWritable(this.socket);
    if (this.#pending) this.#lagging = true;
    else this.#send(frame, entry);
  }

  sendFeedState(): void {
    if (isWritable(this.socket)) this.#sendFeedFrame();
    else this.#lagging = true;
  }

  sendPending(): void {
    if (!this.#lagging) return;
    this.#lagging = false;
    this.#sendState();
  }

  stop(): void {
    this.hub.unsubscribeFromVm(this);
  }

  #sendState(): void {
    this.#pending = false;
    this.#sendFeedFrame();
    const frame = this.hub.formatVmState(this.hostname, this.projection);
    this.#send(frame, this.hub.fleet.get(this.hostname));
  }

  #send(frame: Frame, entry: RowEntry | undefined): void {
    this.socket.send(frame);
    if (this.onAssignment === undefined || entry?.kind !== 'vm' || entry.status !== IN_USE) return;
    const { hostname, assignmentId } = entry;
    if (assignmentId === null || assignmentId === this.#assignmentId) return;
    this.#assignmentId = assignmentId;
    this.onAssignment(hostname, assignmentId);
  }

  #sendFeedFrame(): void {
    if (this.#sentLive === this.hub.live) return;
    this.#sentLive = this.hub.live;
    this.socket.send(feedFrame(this.#sentLive));
  }
}
