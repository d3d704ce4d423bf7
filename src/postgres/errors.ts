// Which errors say that the database cannot be reached, or does not serve now: waiting, or another try, may help.

/** Of a network that does not lead there, as Node gives them. */
const NETWORK =
  /^(ECONN(REFUSED|RESET|ABORTED)|E(TIMEDOUT|PIPE)|E(HOST|NET)UNREACH|ENOTFOUND|EAI_)/;
/**
 * PostgreSQL's classes "connection exception", "insufficient resources" and "operator intervention" (appendix A), and a
 * server that has become a standby.
 */
const SERVER = /^(08...|53...|57P..|25006)$/;
/** What pg and pg-pool say when a connection ends, has ended or does not come about; these have no code. */
const CODELESS =
  /^(Connection terminated|timeout expired|timeout exceeded when|Query read timeout|Client .* not queryable)/;

export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  if (NETWORK.test(code) || SERVER.test(code) || CODELESS.test(error.message)) return true;
  // The Unix socket of a server that does not run; any other missing file is something else.
  return code === 'ENOENT' && 'syscall' in error && error.syscall === 'connect';
}
