// The names a WebSocket is opened with, apart from the schemas so that a browser need not load those.

/** The WebSocket subprotocol (RFC 6455 §1.9); optional outside browsers. */
export const SUBPROTOCOL = 'lablink.v1';
/** Browsers cannot set headers: they offer the token as a second subprotocol, never echoed. */
export const BEARER_SUBPROTOCOL_PREFIX = 'bearer.';

/** How an `assignment_id` is written. */
export const UUID_PATTERN = '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
