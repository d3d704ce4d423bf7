// The reasons for which the gateway rejects a client that exceeds a limit, under the names they are
// counted by. The table in ../http/README.md has each limit and the client's response.

/** Every reason, once. A reason that is sent over HTTP is also the `code` of its problem. */
export const REJECTION_REASONS = [
  'too_many_messages',
  'too_many_requests',
  'message_too_large',
  'overloaded',
  'too_many_sockets',
  'too_many_sockets_of_address',
  'too_many_sockets_of_identity',
  'too_many_connections',
  'request_timeout',
  'headers_too_large',
  'body_too_large',
  'rate_limited',
  'draining',
] as const;

export type RejectionReason = (typeof REJECTION_REASONS)[number];

/**
 * Returns the reason that a problem's code stands for; undefined for the codes of other problems.
 */
export function findRejectionReason(code: string | undefined): RejectionReason | undefined {
  return REJECTION_REASONS.find((reason) => reason === code);
}

/** The limits of connection slots. */
export type SocketRejection = Extract<RejectionReason, `too_many_sockets${string}`>;

/** Called for each rejection, to count it. Must not throw. */
export type OnRejection = (reason: RejectionReason) => void;
