// Names for opening a WebSocket. They have their own file so that a browser need not load the
// schemas.

/** The WebSocket subprotocol (RFC 6455 §1.9). It is optional outside browsers. */
export const SUBPROTOCOL = 'lablink.v1';
/**
 * Prefix of the second subprotocol, in which a browser offers its token, because browsers cannot
 * set headers. The gateway never echoes it.
 */
export const BEARER_SUBPROTOCOL_PREFIX = 'bearer.';

/** The pattern of an `assignment_id`. */
export const UUID_PATTERN = '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
