// Encodes a hostname as a path of the API, and decodes it. Each hostname has exactly one path, and
// decoding that path returns the hostname.

/** The path of all VMs: their state over HTTP, and their changes over a WebSocket. */
export const FLEET_PATH = '/v1/vms';

/**
 * Builds the path of one VM, percent-encoded (RFC 3986 §2.1). URL parsers treat `.` and `..` as
 * steps in the path even when they are encoded (WHATWG URL, "double-dot path segment"). They are
 * therefore written `~.` and `~..`, and a hostname that looks like one of these gets one more `~`.
 * @throws URIError for a lone surrogate, which text in PostgreSQL cannot contain
 */
export function vmPath(hostname: string): string {
  const escaped = /^~*\.\.?$/.test(hostname) ? `~${hostname}` : hostname;
  return `${FLEET_PATH}/${encodeURIComponent(escaped)}`;
}

/**
 * Decodes the hostname from the last segment of a path.
 * @param segment already percent-decoded
 */
export function decodeHostnameSegment(segment: string): string {
  return /^~+\.\.?$/.test(segment) ? segment.slice(1) : segment;
}
