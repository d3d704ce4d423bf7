// The watch on all VMs: their rows and their agents' presence as two maps that stay current.

import type { Presence } from '../protocol/presence.js';
import type { FleetUpdate, WatchedVm } from './fleet-change.js';
import type { FleetModel } from './fleet-model.js';
import type { ClientContext } from './reconnecting-connection.js';
import { Watch } from './watch.js';

/** A watch on all VMs. `state` has the rows by hostname, and is always the same map. */
export class FleetWatch extends Watch<ReadonlyMap<string, WatchedVm>, FleetUpdate> {
  /**
   * The agents' presence by hostname, always the same map. It may have hostnames that have no row.
   */
  readonly presence: ReadonlyMap<string, Presence>;

  constructor(context: ClientContext, model: FleetModel) {
    super(context, model);
    this.presence = model.presence;
  }

  /** The rows by hostname: another name of `state`. */
  get vms(): ReadonlyMap<string, WatchedVm> {
    return this.state;
  }
}
