// One VM: its state is the last message about it.

import { vmPath } from '../protocol/paths.js';
import type { StateMessage } from './connection.js';
import { Watch, type Model, type Pending } from './watch.js';

/** The row of an assigned VM, of one that is not, or word that there is none. */
export type VmState = Extract<StateMessage, { type: 'assignment' | 'status' | 'absent' }>;

/** A VM being watched. After every reconnect its state is told again, changed or not. */
export class VmWatch extends Watch<VmState | undefined, VmState> {
  /**
   * For agents: tells the gateway that this assignment has arrived. Once for each assignment is enough, but what is
   * sent while a connection breaks may be lost: send it again when it is told again.
   * @returns false when there is no open socket; then nothing is sent.
   */
  acknowledge(assignmentId: string): boolean {
    return this.send({ type: 'ack', assignment_id: assignmentId });
  }

  /**
   * For agents: asks to set the VM's status; the change comes back as an update, a refusal as a `refusal`.
   * @param assignmentId refuses the report when this is no longer the current assignment.
   * @returns false when there is no open socket; then nothing is sent.
   */
  reportStatus(status: 'failed' | 'available', assignmentId?: string): boolean {
    const about = assignmentId === undefined ? {} : { assignment_id: assignmentId };
    return this.send({ type: 'status', status, ...about });
  }
}

export class VmModel implements Model<VmState | undefined, VmState> {
  state: VmState | undefined;
  readonly target: string;

  constructor(hostname: string) {
    this.target = vmPath(hostname);
  }

  begin(): void {
    // A state is one message: it is never half told.
  }

  take(message: StateMessage): { update: VmState } | 'misplaced' {
    if (message.type === 'snapshot' || message.type === 'changes') return 'misplaced';
    this.state = message;
    return { update: message };
  }

  startOver(): void {
    // The state is told anew on every socket.
  }

  pending(): Pending<VmState> {
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
