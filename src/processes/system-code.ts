// What went wrong in a system call, by the name that the system gives it.

/** The `code` of a system call's error (`ENOENT`, `EACCES`, …); undefined for any other value. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
