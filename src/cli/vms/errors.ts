// How a request to a gateway fails. The messages are for people, and say what to do.

/** The gateway answered, and refused. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';

  /** @param code the stable code of the problem; undefined if the answer is not a gateway's */
  constructor(
    message: string,
    readonly code: string | undefined,
  ) {
    super(message);
  }
}

/** No gateway answered. */
export class UnreachableGatewayError extends Error {
  override readonly name = 'UnreachableGatewayError';
}
