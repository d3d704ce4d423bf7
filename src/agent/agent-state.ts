// The agent as it is at one moment, what can happen to it, and what it can do. Pure.

import type { VmState } from '../client/index.js';
import type { Leader } from '../processes/process-group.js';
import type { Vm } from '../protocol/row.js';
import type { Entry, Journal } from './journal.js';

/** What is up to whoever runs the agent. */
export interface Policy {
  /** Whether an assignment is printed, or a command is run for it. */
  readonly act: 'print' | 'run';
  /** Whether a command that was cut off begins anew. */
  readonly rerunInterrupted: boolean;
  /** Whether a command that fails sets the VM `failed`. One that was cut off does so always. */
  readonly failVmOnError: boolean;
}

/** How a command's first process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The command in force, and what it has started. */
export interface Group {
  readonly assignmentId: string;
  /** Whether its first process has ended; others of the group may go on. */
  readonly over: boolean;
  /** What it is being ended as. */
  readonly ending: 'stopped' | 'interrupted' | undefined;
}

/** The latest word of the row. */
export interface Told {
  /** Null: it has none. */
  readonly assignmentId: string | null;
  /** There while the VM is in use. */
  readonly assignment: { readonly vm: AssignedVm; readonly frame: string } | undefined;
}

export type AssignedVm = Partial<Vm> & Pick<Vm, 'hostname'> & { readonly assignment_id: string };

export interface AgentState {
  readonly journal: Journal;
  readonly told: Told | undefined;
  readonly group: Group | undefined;
  /** Whether the VM's row was there once, or is being made. */
  readonly registered: boolean;
  /** What was said on this socket already. */
  readonly said: ReadonlySet<string>;
  /** The last line that was printed. */
  readonly printed: string | undefined;
  /** Why the agent ends, once it is to. */
  readonly leaving: 'told-to' | 'refused' | undefined;
  /** Whether what is still to be done before it ends has taken too long. */
  readonly late: boolean;
}

export type Event =
  | { readonly type: 'start' }
  /** The state of the VM, `frame` as it came. */
  | { readonly type: 'told'; readonly message: VmState; readonly frame: string }
  /** It waits for `begin`. */
  | { readonly type: 'launched'; readonly assignmentId: string; readonly leader?: Leader }
  /** The command's first process has ended, or could not be started. */
  | { readonly type: 'over'; readonly assignmentId: string; readonly exit: Exit }
  /** Nobody is left of its group. */
  | { readonly type: 'gone'; readonly assignmentId: string }
  /** The gateway has answered. */
  | { readonly type: 'reported'; readonly assignmentId: string }
  | { readonly type: 'disconnected' }
  /** The gateway could not do what it was asked for last. */
  | { readonly type: 'unavailable' }
  /** The gateway says not to come back. */
  | { readonly type: 'refused' }
  | { readonly type: 'stop' }
  | { readonly type: 'late' };

export type Action =
  | { readonly do: 'save'; readonly journal: Journal }
  /** Prepares the command, up to the point where one word begins it. */
  | { readonly do: 'launch'; readonly vm: AssignedVm; readonly frame: string }
  | { readonly do: 'begin'; readonly assignmentId: string }
  | { readonly do: 'end'; readonly assignmentId: string }
  | { readonly do: 'acknowledge'; readonly assignmentId: string }
  | { readonly do: 'report'; readonly entry: Entry }
  | { readonly do: 'fail-vm'; readonly assignmentId: string }
  | { readonly do: 'print'; readonly line: string }
  | { readonly do: 'register' }
  /** From now on what is still to be done may not take long. */
  | { readonly do: 'hurry' }
  | { readonly do: 'leave'; readonly why: 'told-to' | 'refused' };

/** @param left the assignment of which a group is left from before, its first process over. */
export function initialState(journal: Journal, left: string | undefined): AgentState {
  return {
    journal,
    told: undefined,
    group: left === undefined ? undefined : { assignmentId: left, over: true, ending: undefined },
    registered: false,
    said: new Set(),
    printed: undefined,
    leaving: undefined,
    late: false,
  };
}
