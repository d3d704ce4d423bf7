// How a hostname stands in a URL's path. Any hostname has exactly one path, and any path gives back its hostname.

/** The state of all VMs, and by upgrade its changes. */
export const FLEET_PATH = '/v1/vms';

/**
 * The path of one VM: percent-encoded (RFC 3986 §2.1). `.` and `..` would be taken for steps in
 * the path even when encoded (WHATWG URL, "double-dot path segment"), so they are written `~.` and
 * `~..`, and a hostname that looks like one so written gets one more `~`.
 * @throws URIError for a lone surrogate, which no text of PostgreSQL holds.
 */
export function vmPath(hostname: string): string {
  const escaped = /^~*\.\.?$/.test(hostname) ? `~${hostname}` : hostname;
  return `${FLEET_PATH}/${encodeURIComponent(escaped)}`;
}

/** The hostname of a path's last segment, already percent-decoded. */
export function decodeHostnameSegment(segment: string): string {
  return /^~+\.\.?$/.test(segment) ? segment.slice(1) : segment;
}
