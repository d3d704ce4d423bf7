// Recognizes errors of a database that cannot be reached, or does not serve now: a later try may
// succeed.

import pg from 'pg';

/** Node's codes for a host that cannot be reached. */
const NETWORK =
  /^(ECONN(REFUSED|RESET|ABORTED)|E(TIMEDOUT|PIPE)|E(HOST|NET)UNREACH|ENOTFOUND|EAI_)/;
/**
 * PostgreSQL's classes "connection exception", "insufficient resources" and "operator intervention"
 * (appendix A), and read_only_sql_transaction: the server has become a standby.
 */
const SERVER = /^(08...|53...|57P..|25006)$/;
/** Messages without a code, of pg and pg-pool, for connections that end, have ended or fail. */
const CODELESS =
  /^(Connection terminated|timeout expired|timeout exceeded when|Query read timeout|Client .* not queryable)/;

/** Whether the database takes no writes now: it is a standby, or read-only for this role. */
export function isReadOnlyError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '25006';
}

/** Whether the error is one of a connection or of an unavailable server. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  if (NETWORK.test(code) || SERVER.test(code) || CODELESS.test(error.message)) return true;
  // ENOENT of connect: the server is down, and its Unix socket is missing.
  return code === 'ENOENT' && 'syscall' in error && error.syscall === 'connect';
}

/** Node's codes for packets that are lost, and the messages of pg's own deadlines. */
const SILENT_CODE = /^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/;
const SILENT_MESSAGE = /time-?out/;

/** Whether a deadline passed without any answer, so that the network may be lost. */
export function isSilence(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof pg.DatabaseError) return false;
  return (
    ('code' in error && SILENT_CODE.test(String(error.code))) || SILENT_MESSAGE.test(error.message)
  );
}
