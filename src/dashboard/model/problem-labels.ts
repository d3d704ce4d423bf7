// Why the gateway did not do something, in words for the person who asked for it.

export interface Problem {
  /** Of RFC 9457's body; undefined where the answer was none of the gateway's, or there was none. */
  readonly code: string | undefined;
  readonly detail: string;
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  version_mismatch:
    'Nothing was changed: somebody changed this VM while you looked at it. See what is different, and decide again.',
  vm_not_found: 'Nothing was changed: this VM has been deleted meanwhile.',
  assignment_not_found:
    'Nothing was changed: this assignment had ended already. See what is different, and decide again.',
  assigned_to_another: 'Nothing was changed: another person has this VM.',
  vm_not_in_use: 'Nothing was changed: only a VM in use has a person and a command.',
  token_expired: 'Nothing was changed: your token has expired. Sign in with a new one.',
  token_invalid: 'Nothing was changed: the gateway does not accept your token.',
  not_allowed: 'Nothing was changed: your token does not allow this.',
  rate_limited: 'Nothing was changed: your token asks too often. Wait a minute.',
  database_busy: 'Nothing was changed: others held this VM for too long. Try again.',
  draining: 'Nothing was changed: the gateway is about to end. Try again in a moment.',
  database_unavailable:
    'The database does not answer. Whether the change was made is not known: look again when it is back.',
};

const UNREACHABLE =
  'The gateway cannot be reached. Whether the change was made is not known: look again when it is back.';

export function describeProblem({ code, detail }: Problem): string {
  if (code === undefined) return detail === '' ? UNREACHABLE : detail;
  return EXPLANATIONS[code] ?? detail;
}

/** Whether what is shown was no longer so. */
export function isConflict({ code }: Problem): boolean {
  return code === 'version_mismatch' || code === 'vm_not_found' || code === 'assignment_not_found';
}
