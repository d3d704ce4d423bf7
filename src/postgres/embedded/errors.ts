// Expected failures of the embedded PostgreSQL: each has a stable code for programs and a message
// that says what to do next.

/**
 * - `no_binaries`: no server on this machine runs under a suitable account.
 * - `busy`: another gateway or another server uses the folder.
 * - `version_mismatch`: another version of PostgreSQL created the cluster.
 * - `unwritable`: this process may not use the data folder.
 * - `init_failed`: initdb failed.
 * - `start_failed`: the server did not start, or ended by itself.
 * - `port_taken`: another program listens on the TCP port.
 */
export type EmbeddedErrorCode =
  | 'no_binaries'
  | 'busy'
  | 'version_mismatch'
  | 'unwritable'
  | 'init_failed'
  | 'start_failed'
  | 'port_taken';

/** An expected failure of the embedded server; every other exception is a bug or I/O. */
export class EmbeddedError extends Error {
  override readonly name = 'EmbeddedError';

  constructor(
    readonly code: EmbeddedErrorCode,
    message: string,
    options?: { cause: unknown },
  ) {
    super(message, options);
  }
}
