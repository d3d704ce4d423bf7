// The agent's state, the events that change it, and the effects that it asks for. Data only: the
// reducer beside this file has the rules.

import type { VmState } from '../client/index.js';
import type { Leader } from '../processes/process-group.js';
import type { Vm } from '../protocol/row.js';
import type { Journal, JournalEntry } from './journal.js';

/** How the agent was configured. */
export interface Policy {
  /** `print` prints each assignment; `run` runs a command for it. */
  readonly act: 'print' | 'run';
  /** Whether an interrupted command is run again. */
  readonly rerunInterrupted: boolean;
  /** Whether a failed command sets the VM `failed`. An interrupted command always does. */
  readonly failVmOnError: boolean;
}

/** How a command's first process ended: an exit code, a signal, or neither if it did not start. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The process group of the command that was started last. */
export interface CommandGroup {
  readonly assignmentId: string;
  /** Whether the first process has exited. Others of the group may still run. */
  readonly exited: boolean;
  /** Why the agent is terminating the group; undefined while it lets the group run. */
  readonly terminatedAs: 'stopped' | 'interrupted' | undefined;
}

export type AssignedVm = Partial<Vm> & Pick<Vm, 'hostname'> & { readonly assignment_id: string };

/** The row as the gateway last sent it. */
export interface RowState {
  /** Null if the row has no assignment. */
  readonly assignmentId: string | null;
  /** The row and its message; undefined unless the VM is in use. */
  readonly assignment: { readonly vm: AssignedVm; readonly frame: string } | undefined;
}

export type ExitReason = 'stopped' | 'rejected';

export interface AgentState {
  readonly journal: Journal;
  readonly row: RowState | undefined;
  readonly group: CommandGroup | undefined;
  /** Whether the gateway has sent the VM's row, or the agent has asked for its registration. */
  readonly registered: boolean;
  /** The acknowledgements and failures that were sent on this socket; undefined without one. */
  readonly sent: ReadonlySet<string> | undefined;
  /** The last line that was printed. */
  readonly lastPrinted: string | undefined;
  /** Why the agent will exit; undefined while it works. */
  readonly exitReason: ExitReason | undefined;
  /** Whether the time for the last reports has run out. */
  readonly deadlinePassed: boolean;
}

export type AgentEvent =
  | { readonly type: 'start' }
  /** The gateway sent the VM's state, in this frame. */
  | { readonly type: 'row'; readonly message: VmState; readonly frame: string }
  /** The command's process exists, and waits at the start barrier. */
  | { readonly type: 'launched'; readonly assignmentId: string; readonly leader?: Leader }
  /** The command's first process has exited, or could not be started. */
  | { readonly type: 'exited'; readonly assignmentId: string; readonly exit: Exit }
  /** The command's process group is empty. */
  | { readonly type: 'group-ended'; readonly assignmentId: string }
  /** The gateway has answered the report. */
  | { readonly type: 'reported'; readonly assignmentId: string }
  | { readonly type: 'disconnected' }
  /** The gateway could not process the last message, because its database was unavailable. */
  | { readonly type: 'unavailable' }
  /** The gateway rejects this agent for good. */
  | { readonly type: 'rejected' }
  | { readonly type: 'stop' }
  | { readonly type: 'deadline' };

export type AgentEffect =
  | { readonly do: 'save'; readonly journal: Journal }
  /** Creates the command's process, which waits at the start barrier. */
  | { readonly do: 'launch'; readonly vm: AssignedVm; readonly frame: string }
  /** Opens the start barrier. */
  | { readonly do: 'start'; readonly assignmentId: string }
  | { readonly do: 'terminate'; readonly assignmentId: string }
  | { readonly do: 'acknowledge'; readonly assignmentId: string }
  | { readonly do: 'report'; readonly entry: JournalEntry }
  | { readonly do: 'fail-vm'; readonly assignmentId: string }
  | { readonly do: 'print'; readonly line: string }
  | { readonly do: 'register' }
  /** Starts the clock after which a `deadline` event follows, unless it runs already. */
  | { readonly do: 'set-deadline' }
  | { readonly do: 'exit'; readonly reason: ExitReason };

/**
 * @param survivor the assignment whose process group outlived the previous agent, after its first
 * process had exited.
 */
export function createInitialState(journal: Journal, survivor: string | undefined): AgentState {
  return {
    journal,
    row: undefined,
    group:
      survivor === undefined
        ? undefined
        : { assignmentId: survivor, exited: true, terminatedAs: undefined },
    registered: false,
    sent: undefined,
    lastPrinted: undefined,
    exitReason: undefined,
    deadlinePassed: false,
  };
}
