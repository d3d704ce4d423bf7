// Explains why the gateway did not carry out a request, for the user who made it.

export interface Problem {
  /** The problem's code (RFC 9457); undefined without a response, or if a proxy answered. */
  readonly code: string | undefined;
  readonly detail: string;
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  version_mismatch:
    'Nothing was changed: this VM was changed while you were looking at it. Check the differences and decide again.',
  vm_not_found: 'Nothing was changed: this VM has been deleted.',
  assignment_not_found:
    'Nothing was changed: this assignment had already ended. Check the differences and decide again.',
  assigned_to_another: 'Nothing was changed: another person has this VM.',
  vm_not_in_use: 'Nothing was changed: only a VM in use has a person and a command.',
  token_expired: 'Nothing was changed: your token has expired. Sign in with a new one.',
  token_invalid: 'Nothing was changed: the gateway does not accept your token.',
  not_allowed: 'Nothing was changed: your token does not allow this.',
  rate_limited:
    'Nothing was changed: too many requests with your token. Wait a minute and try again.',
  database_busy: 'Nothing was changed: another transaction locked this VM for too long. Try again.',
  database_read_only: 'Nothing was changed: the database takes no writes now. Try again later.',
  draining: 'Nothing was changed: the gateway is shutting down. Try again in a moment.',
  database_unavailable:
    'The database does not respond, so the change may or may not have been made. Check again when it is back.',
};

const UNREACHABLE =
  'The gateway cannot be reached, so the change may or may not have been made. Check again when it is back.';

/** Explains a problem; falls back to the gateway's own detail. */
export function explainProblem({ code, detail }: Problem): string {
  if (code === undefined) return detail === '' ? UNREACHABLE : detail;
  return EXPLANATIONS[code] ?? detail;
}

/** Explains why something could not be read. It says nothing about changes: none was wanted. */
export function explainFailedRead({ code, detail }: Problem): string {
  switch (code) {
    case undefined:
      return detail === '' ? 'It could not be read: the gateway cannot be reached.' : detail;
    case 'database_unavailable':
    case 'not_ready':
      return 'It could not be read: the database does not answer.';
    case 'rate_limited':
      return 'It could not be read: too many requests with your token. Wait a minute.';
    case 'token_expired':
      return 'It could not be read: your token has expired.';
    default:
      return `It could not be read. ${detail}`;
  }
}

/** Whether the page showed an outdated state when the user decided. */
export function isConflict({ code }: Problem): boolean {
  return code === 'version_mismatch' || code === 'vm_not_found' || code === 'assignment_not_found';
}
