// What the gateway turns away because it is too much, by the name it is counted under. The README's table of limits
// says what each bounds and what its client is answered.

/** Every reason, once. One that is answered over HTTP is the problem's `code` too, and no other problem is called so. */
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

/** The reason that the code of a problem stands for, if it is one. */
export function findRejectionReason(code: string | undefined): RejectionReason | undefined {
  return REJECTION_REASONS.find((reason) => reason === code);
}

/** Why there is no place for another socket. */
export type SocketRejection = Extract<RejectionReason, `too_many_sockets${string}`>;

/** Told of every refusal, so that it can be counted. Must not throw. */
export type OnRejection = (reason: RejectionReason) => void;
