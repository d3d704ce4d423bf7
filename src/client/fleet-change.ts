// The rows and the changes of the fleet, as a program that watches it sees them.

import type { Presence } from '../protocol/presence.js';
import type { DashboardVm, Vm } from '../protocol/row.js';

/**
 * A row of `vms` as the token's role may see it. `crd_command` is undefined for dashboards, and
 * null in a row without a command.
 */
export type WatchedVm = DashboardVm & Partial<Pick<Vm, 'crd_command'>>;

/**
 * A change of one hostname: its row, its agent's presence, or both. A part that did not change is
 * the same object before and after.
 */
export interface FleetChange {
  /** The row now; undefined if it was deleted. */
  readonly vm: WatchedVm | undefined;
  /** The row before, as this consumer knew it; undefined if it knew none. */
  readonly before: WatchedVm | undefined;
  /** The agent's presence now; undefined if the gateway knows nothing of the agent. */
  readonly presence: Presence | undefined;
  /** The presence before, as this consumer knew it; undefined if it knew none. */
  readonly presenceBefore: Presence | undefined;
}

/** Changes by hostname. An empty map says that the gateway confirmed that nothing changed. */
export type FleetUpdate = ReadonlyMap<string, FleetChange>;
