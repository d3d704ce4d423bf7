// The fleet's changes that one consumer has not read yet, merged by hostname. A VM that came and
// went meanwhile leaves no trace. The changes are therefore bounded by the hostnames in the fleet
// now plus the hostnames in it when the consumer last read.

import type { FleetChange, FleetUpdate } from './fleet-change.js';
import type { PendingUpdates } from './watch.js';

export class PendingChanges implements PendingUpdates<FleetUpdate> {
  #changes: Map<string, FleetChange> | undefined;

  add(update: FleetUpdate): void {
    this.#changes ??= new Map();
    for (const [hostname, change] of update) {
      const { before, presenceBefore } = this.#changes.get(hostname) ?? change;
      const merged = { ...change, before, presenceBefore };
      if (Object.values(merged).every((part) => part === undefined)) this.#changes.delete(hostname);
      else this.#changes.set(hostname, merged);
    }
  }

  take(): FleetUpdate | undefined {
    const changes = this.#changes;
    this.#changes = undefined;
    return changes;
  }
}
