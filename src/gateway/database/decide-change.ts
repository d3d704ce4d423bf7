// What a change of one VM's status means for its person and its command, decided from the row as it is. Pure.

/** The statuses that may be asked for. Others, which other programs write, flow through. */
export const SETTABLE_STATUSES = ['available', 'in-use', 'failed'] as const;
export type SettableStatus = (typeof SETTABLE_STATUSES)[number];

/** What of a row the decision looks at. */
export interface VmValues {
  readonly status: string;
  readonly email: string | null;
  readonly crdCommand: string | null;
}

/** What is asked for; undefined is left as it is, a `crdCommand` of null is none. */
export interface VmChange {
  readonly status: SettableStatus | undefined;
  readonly email: string | undefined;
  readonly crdCommand: string | null | undefined;
  /** Whether the VM may be taken from another person. */
  readonly reassign: boolean;
}

export type RejectedChange =
  /** Asks for things that do not go together, whatever the row is. */
  | { readonly rejected: 'contradiction'; readonly why: string }
  /** The row is not `in-use`, so it has neither person nor command to change. */
  | { readonly rejected: 'not-in-use' }
  | { readonly rejected: 'another-person' };

/** The row's new values, or why not. */
export function decideChange(current: VmValues, change: VmChange): VmValues | RejectedChange {
  const { status, email, crdCommand } = change;
  if (status === 'in-use') {
    if (email === undefined) return rejectContradiction('in-use needs an email');
    return assignPerson(current, email, crdCommand ?? null, change.reassign);
  }
  if (status !== undefined) {
    if (email !== undefined || (crdCommand ?? null) !== null) {
      return rejectContradiction(`${status} goes with neither email nor crd_command`);
    }
    if (status === 'available') return { status, email: null, crdCommand: null };
    return { ...current, status };
  }
  if (current.status !== 'in-use') return { rejected: 'not-in-use' };
  if (email === undefined || email === current.email) {
    return crdCommand === undefined ? current : { ...current, crdCommand };
  }
  return assignPerson(current, email, crdCommand ?? null, change.reassign);
}

/** The command is always set with the person: never the last one's, which may hold her code. */
function assignPerson(
  current: VmValues,
  email: string,
  crdCommand: string | null,
  reassign: boolean,
): VmValues | RejectedChange {
  const another = current.email !== null && current.email !== email;
  if (another && !reassign) return { rejected: 'another-person' };
  return { status: 'in-use', email, crdCommand };
}

const rejectContradiction = (why: string): RejectedChange => ({ rejected: 'contradiction', why });
