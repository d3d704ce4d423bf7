// Decides the new values of a VM's row from its current values and the requested change. Pure.

/**
 * The statuses that a client may set. Statuses that other programs write are passed on unchanged.
 */
export const SETTABLE_STATUSES = ['available', 'in-use', 'failed'] as const;
export type SettableStatus = (typeof SETTABLE_STATUSES)[number];

/** The values of a row that a change depends on. */
export interface VmValues {
  readonly status: string;
  readonly email: string | null;
  readonly crdCommand: string | null;
}

/** The requested change. Undefined values stay as they are; null removes the `crdCommand`. */
export interface VmChange {
  readonly status: SettableStatus | undefined;
  readonly email: string | undefined;
  readonly crdCommand: string | null | undefined;
  /** Whether the VM may be taken from another person. */
  readonly reassign: boolean;
}

/** Why a change is rejected. */
export type RejectedChange =
  /** The request contradicts itself, independently of the row. */
  | { readonly rejected: 'contradiction'; readonly why: string }
  /** The row is not `in-use`, so it has no person or command that could change. */
  | { readonly rejected: 'not-in-use' }
  | { readonly rejected: 'another-person' };

/** Decides the new values of the row, or why the change is rejected. */
export function decideChange(current: VmValues, change: VmChange): VmValues | RejectedChange {
  const { status, email, crdCommand } = change;
  if (status === 'in-use') {
    if (email === undefined) return rejectContradiction('in-use needs an email');
    return assignPerson(current, email, crdCommand ?? null, change.reassign);
  }
  if (status !== undefined) {
    if (email !== undefined || (crdCommand ?? null) !== null) {
      return rejectContradiction(`${status} allows neither email nor crd_command`);
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

/** Decides the values of a released row: a failed VM stays failed, and others become available. */
export function decideRelease({ status, email }: VmValues): VmValues | RejectedChange {
  if (status === 'in-use') return { status: 'available', email: null, crdCommand: null };
  return email === null ? { rejected: 'not-in-use' } : { status, email: null, crdCommand: null };
}

/**
 * Sets the person and always the command with it, because the command of the previous person may
 * contain their one-time code.
 */
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
