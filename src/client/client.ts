// The client of one gateway for one identity: the gateway's address, and the token that all its
// watches share.

import { parseAddress } from './address.js';
import type { ClientContext } from './reconnecting-connection.js';
import { FleetModel } from './fleet-model.js';
import { FleetWatch } from './fleet.js';
import { platform, type Runtime } from './runtime.js';
import { TokenCache, type TokenSource } from './token.js';
import { VmModel, VmWatch } from './vm.js';

export interface ClientOptions {
  /**
   * The gateway's URL: http, https, ws or wss, with the path that a proxy gives it, if any.
   * Required.
   */
  readonly url: string;
  /**
   * The token to connect with: a string, or a function that returns a fresh token (or a promise).
   *
   * The client calls the function before its first connection, again when four fifths of the
   * token's lifetime are over, and after the gateway rejected the token. If the function fails,
   * the client calls it again after a pause. If `token` is a string, a rejected token closes the
   * watch.
   *
   * Default: undefined. The client then sends no token, which a gateway answers with 401, unless a
   * proxy in front of it adds one.
   */
  readonly token?: TokenSource;
  /**
   * Closes all watches of this client when it is aborted. Default: none; a watch then stays open
   * until its `close` is called or the gateway rejects it.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Watches VMs on one gateway. */
export interface Client {
  /**
   * Watches one VM. An agent may watch its own VM, dashboards and admins any VM.
   * @throws URIError if the hostname is not well-formed Unicode.
   */
  watchVm(hostname: string): VmWatch;
  /** Watches all VMs, for dashboards and admins. */
  watchFleet(): FleetWatch;
}

/**
 * Creates a client. The client opens one WebSocket for each watch, and none before the first.
 * @param runtime replaces parts of the platform, for tests. Default: the platform's own.
 * @throws TypeError if `url` is not the URL of a gateway.
 */
export function createClient(options: ClientOptions, runtime: Partial<Runtime> = {}): Client {
  const { url, token, signal } = options;
  const fullRuntime: Runtime = { ...platform, ...runtime };
  const context: ClientContext = {
    address: parseAddress(url),
    tokens: new TokenCache(token, fullRuntime),
    runtime: fullRuntime,
    signal,
  };
  const open = new Set<VmWatch | FleetWatch>();
  const closeAll = (): void => open.forEach((watch) => watch.close());
  // All watches share a listener: Node warns of a leak when a signal has more than ten.
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
    watchVm: (hostname) => track(new VmWatch(context, new VmModel(hostname))),
    watchFleet: () => track(new FleetWatch(context, new FleetModel())),
  };
}
