// The failures a person can do something about when the embedded PostgreSQL is started: each has a
// stable code for programs and a message that says what to do next.

export type EmbeddedErrorCode =
  | 'no_binaries'
  | 'busy'
  | 'version_mismatch'
  | 'unwritable'
  | 'init_failed'
  | 'start_failed'
  | 'port_taken';

/** An expected failure of the embedded server; anything else that is thrown is a bug or I/O. */
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
