// The watch on one VM. Its state is the last message about the VM.

import { vmPath } from '../protocol/paths.js';
import type { WatchedVm } from './fleet-change.js';
import type { StateMessage } from './reconnecting-connection.js';
import { Watch, type PendingUpdates, type WatchModel } from './watch.js';

/**
 * The state of one VM. `assignment`: the VM is in use, and `vm` is its row. `status`: the VM is not
 * in use, and `vm` is its row. `absent`: the table has no row with this hostname.
 */
export type VmState =
  | { readonly type: 'assignment' | 'status'; readonly vm: WatchedVm }
  | { readonly type: 'absent'; readonly hostname: string };

/** A watch on one VM. The gateway sends the state again after each reconnect, changed or not. */
export class VmWatch extends Watch<VmState | undefined, VmState> {
  /**
   * For agents: acknowledges that this assignment has arrived. Once per assignment is enough.
   * However, a message that is sent while the connection breaks may be lost: acknowledge again when
   * the gateway sends the assignment again.
   * @param assignmentId null, for a row that has no identity, sends nothing.
   * @returns false if nothing was sent, because there is no open socket or no identity.
   */
  acknowledge(assignmentId: string | null): boolean {
    return assignmentId !== null && this.send({ type: 'ack', assignment_id: assignmentId });
  }

  /**
   * For agents: asks the gateway to set the VM's status. The change comes back as an `update`, a
   * rejection as a `rejection`.
   * @param assignmentId makes the gateway reject the report if this assignment is no longer
   * current. Default: the report is about any assignment.
   * @returns false if there is no open socket; nothing is sent then.
   */
  reportStatus(status: 'failed' | 'available', assignmentId?: string | null): boolean {
    if (assignmentId === undefined || assignmentId === null)
      return this.send({ type: 'status', status });
    return this.send({ type: 'status', status, assignment_id: assignmentId });
  }
}

export class VmModel implements WatchModel<VmState | undefined, VmState> {
  state: VmState | undefined;
  readonly path: string;

  constructor(hostname: string) {
    this.path = vmPath(hostname);
  }

  dropPartial(): void {
    // A state is one message, so it is never partial.
  }

  apply(message: StateMessage): { update: VmState } | 'misplaced' {
    if (message.type === 'snapshot' || message.type === 'changes') return 'misplaced';
    this.state = message;
    return { update: message };
  }

  resync(): void {
    // The gateway sends the whole state on each socket.
  }

  createPending(): PendingUpdates<VmState> {
    let latest = this.state;
    return {
      add: (state) => {
        latest = state;
      },
      take: () => {
        const state = latest;
        latest = undefined;
        return state;
      },
    };
  }
}
