// Parses `If-Match`: a change is made only if the row has the version that the client has seen (RFC
// 9110 §13.1.1).

import type { IncomingHttpHeaders } from 'node:http';
import type { Precondition } from '../../database/changes.js';

/**
 * Parses the header. Without it, every version matches. A tag that is not a version never matches.
 */
export function parsePrecondition({ 'if-match': header }: IncomingHttpHeaders): Precondition {
  if (header === undefined || header.trim() === '*') return () => true;
  const tags = header.split(',').map((tag) => tag.trim());
  return (version) => tags.includes(`"${version}"`);
}
