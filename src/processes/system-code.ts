// Errors of system calls, identified by the name that the system gives them.

/**
 * Reads the `code` of a system call's error (`ENOENT`, `EACCES`, …); undefined for other values.
 */
export function readSystemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
