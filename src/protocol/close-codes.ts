// The WebSocket close codes: one table for the server, the clients and the document beside it.
// Every code says whether to come back; a client needs no other knowledge to decide.

/**
 * What a client does after a close.
 * `no`: stay away until a person looks. `soon`: after a random pause. `later`: after a longer
 * random pause. `new-token`: soon, but only with a fresh token.
 */
export type Return = 'no' | 'soon' | 'later' | 'new-token';

export interface CloseCode {
  readonly code: number;
  /** Sent as the close frame's reason: short, stable, for logs (RFC 6455 §5.5.1 allows 123 bytes). */
  readonly reason: string;
  readonly return: Return;
  readonly meaning: string;
}

/** Codes under 4000 are those of RFC 6455 §7.4 and its registry; 4000 to 4999 are private use. */
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
    meaning: 'The gateway is going down and another will take its place.',
  },
  overloaded: {
    code: 1013,
    reason: 'overloaded',
    return: 'later',
    meaning: 'The gateway has no room now.',
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
    meaning: 'The token is missing, expired or not valid.',
  },
  notAllowed: {
    code: 4403,
    reason: 'not allowed',
    return: 'no',
    meaning: 'The token does not allow this, or a renewal named another identity.',
  },
  silent: {
    code: 4408,
    reason: 'no heartbeat or no progress',
    return: 'soon',
    meaning: 'No sign of life within two heartbeats, or nothing read for as long.',
  },
  replaced: {
    code: 4409,
    reason: 'replaced',
    return: 'no',
    meaning: 'A newer agent of this hostname took over.',
  },
  tooMany: {
    code: 4429,
    reason: 'too many',
    return: 'later',
    meaning: 'Too many messages or sockets.',
  },
} as const satisfies Record<string, CloseCode>;

const returnByCode = new Map<number, Return>(
  Object.values(CLOSE).map((close) => [close.code, close.return]),
);

/** Whether to come back after `code`; a code nobody here sends (1006, a proxy's own) means soon. */
export function decideReturn(code: number): Return {
  return returnByCode.get(code) ?? 'soon';
}
