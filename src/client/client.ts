// A client of one gateway with one identity: where it is, and the token all its watches share.

import { parseAddress } from './address.js';
import type { Gateway } from './connection.js';
import { FleetModel, FleetWatch } from './fleet.js';
import { platform, type Runtime } from './runtime.js';
import { Tokens, type TokenSource } from './token.js';
import { VmModel, VmWatch } from './vm.js';

export interface ClientOptions {
  /** The gateway's URL (http, https, ws or wss), with the path it has behind a proxy, if any. */
  readonly url: string;
  /**
   * A token, or a function that gives a fresh one: called to connect, again before the token expires, and when the
   * gateway refuses it. If it rejects, it is called again later. With a plain string a refused token ends the watch.
   */
  readonly token: TokenSource;
  /** Ends everything that is watched through this client. */
  readonly signal?: AbortSignal;
}

export interface Client {
  /**
   * Watches one VM: an agent its own, dashboards and admins any.
   * @throws URIError for a hostname that is not well-formed Unicode.
   */
  watchVm(hostname: string): VmWatch;
  /** Watches all VMs: for dashboards and admins. */
  watchFleet(): FleetWatch;
}

/**
 * Makes a client. It connects when something is watched: one WebSocket for each watch.
 * @throws TypeError when `url` is not the URL of a gateway.
 */
export function createClient(options: ClientOptions, runtime: Partial<Runtime> = {}): Client {
  const { url, token, signal } = options;
  const whole: Runtime = { ...platform, ...runtime };
  const gateway: Gateway = {
    address: parseAddress(url),
    tokens: new Tokens(token, whole),
    runtime: whole,
    signal,
  };
  const open = new Set<VmWatch | FleetWatch>();
  const closeAll = (): void => open.forEach((watch) => watch.close());
  // One listener, however many watches: Node warns of a leak when a signal has more than ten.
  const track = <W extends VmWatch | FleetWatch>(watch: W): W => {
    signal?.addEventListener('abort', closeAll);
    open.add(watch);
    void watch.closed.then(() => {
      open.delete(watch);
      if (open.size === 0) signal?.removeEventListener('abort', closeAll);
    });
    return watch;
  };
  return {
    watchVm: (hostname) => track(new VmWatch(gateway, new VmModel(hostname))),
    watchFleet: () => track(new FleetWatch(gateway, new FleetModel())),
  };
}
