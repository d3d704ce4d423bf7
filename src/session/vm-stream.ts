// One VM's state to one socket: the current one first, then each change at once. One that found no room is
// replaced by the latest when there is room again.

import type { Frame, Hub, VmWatcher } from '../hub/hub.js';
import type { View } from '../hub/views.js';
import { feedFrame } from '../protocol/frames.js';
import { hasRoom, type Socket } from './socket.js';
import type { Stream, StreamState } from './stream.js';

export class VmStream implements VmWatcher, Stream {
  readonly kind = 'vm';
  #behind = false;
  /** Whether a change found no room and has not been told since. */
  #owed = false;
  #conflated = 0;
  #toldLive: boolean;

  constructor(
    private readonly hub: Hub,
    private readonly socket: Socket,
    readonly hostname: string,
    readonly view: View,
  ) {
    this.#toldLive = hub.live;
  }

  get behind(): boolean {
    return this.#behind;
  }

  get state(): StreamState {
    return this.#behind ? 'behind' : 'live';
  }

  get conflated(): number {
    return this.#conflated;
  }

  start(): void {
    this.hub.watchVm(this);
    this.#tell();
  }

  push(frame: Frame): void {
    if (this.#owed) this.#conflated++;
    this.#owed = !hasRoom(this.socket);
    if (this.#owed) this.#behind = true;
    else this.socket.send(frame);
  }

  feedChanged(): void {
    if (hasRoom(this.socket)) this.#tellFeed();
    else this.#behind = true;
  }

  drained(): void {
    if (!this.#behind) return;
    this.#behind = false;
    this.#tell();
  }

  stop(): void {
    this.hub.unwatchVm(this);
  }

  #tell(): void {
    this.#owed = false;
    this.#tellFeed();
    this.socket.send(this.hub.vmState(this.hostname, this.view));
  }

  #tellFeed(): void {
    if (this.#toldLive === this.hub.live) return;
    this.#toldLive = this.hub.live;
    this.socket.send(feedFrame(this.#toldLive));
  }
}
