// The WebSocket close codes: one table for the server, the clients and the document beside it.
// Every code says whether a client reconnects, so a client needs no other rule to decide it.

/**
 * How a client reconnects after a close:
 *
 * - `no`: it does not, until a person has looked into it;
 * - `soon`: after a random pause;
 * - `later`: after a longer random pause;
 * - `new-token`: after a random pause, and only with a new token.
 */
export type Return = 'no' | 'soon' | 'later' | 'new-token';

/** A close code, as the gateway sends it. */

export interface CloseCode {
  readonly code: number;
  /**
   * The reason in the close frame: short and stable, for logs; at most 123 bytes (RFC 6455 §5.5.1).
   */
  readonly reason: string;
  readonly return: Return;
  readonly meaning: string;
}

/** Codes below 4000 are registered (RFC 6455 §7.4); 4000 to 4999 are for private use. */
export const CLOSE = {
  tooLarge: {
    code: 1009,
    reason: 'message too large',
    return: 'no',
    meaning: 'A message was larger than the gateway accepts.',
  },
  restart: {
    code: 1012,
    reason: 'restarting',
    return: 'soon',
    meaning: 'The gateway is stopping, and another one replaces it.',
  },
  overloaded: {
    code: 1013,
    reason: 'overloaded',
    return: 'later',
    meaning: 'The gateway has no capacity at the moment.',
  },
  badFrame: {
    code: 4400,
    reason: 'not a JSON text frame',
    return: 'no',
    meaning: 'A frame was binary or not JSON.',
  },
  tokenExpired: {
    code: 4401,
    reason: 'token missing or expired',
    return: 'new-token',
    meaning: 'The token is missing, expired, revoked or invalid.',
  },
  notAllowed: {
    code: 4403,
    reason: 'not allowed',
    return: 'no',
    meaning: 'The token does not permit this, or the new token has another identity.',
  },
  silent: {
    code: 4408,
    reason: 'no heartbeat or no progress',
    return: 'soon',
    meaning: 'The client sent nothing, or read nothing, for 50 s (CLIENT_TIMEOUT_SECONDS).',
  },
  replaced: {
    code: 4409,
    reason: 'replaced',
    return: 'no',
    meaning: 'A newer agent of this hostname has connected.',
  },
  tooMany: {
    code: 4429,
    reason: 'too many',
    return: 'later',
    meaning: 'The client sent too many messages or opened too many sockets.',
  },
} as const satisfies Record<string, CloseCode>;

const returnByCode = new Map<number, Return>(
  Object.values(CLOSE).map((close) => [close.code, close.return]),
);

/**
 * Decides how to reconnect after `code`. A code that the gateway never sends, such as 1006 or a
 * proxy's own, means `soon`.
 */
export function decideReturn(code: number): Return {
  return returnByCode.get(code) ?? 'soon';
}
