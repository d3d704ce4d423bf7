// One VM's state to one socket: the current one first, then each change at once. One that found no room is
// replaced by the latest when there is room again.

import type { Frame, Hub, VmWatcher } from '../hub/hub.js';
import type { View } from '../hub/views.js';
import { feedFrame } from '../protocol/frames.js';
import { hasRoom, type Socket } from './socket.js';
import type { Stream } from './stream.js';

export class VmStream implements VmWatcher, Stream {
  #behind = false;
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

  start(): void {
    this.hub.watchVm(this);
    this.#tell();
  }

  push(frame: Frame): void {
    if (hasRoom(this.socket)) this.socket.send(frame);
    else this.#behind = true;
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
    this.#tellFeed();
    this.socket.send(this.hub.vmState(this.hostname, this.view));
  }

  #tellFeed(): void {
    if (this.#toldLive === this.hub.live) return;
    this.#toldLive = this.hub.live;
    this.socket.send(feedFrame(this.#toldLive));
  }
}
