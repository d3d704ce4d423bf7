// `If-Match`: a change is wanted only of the row as the client has seen it (RFC 9110 §13.1.1).

import type { IncomingHttpHeaders } from 'node:http';
import type { Precondition } from '../../database/changes.js';

/** Without the header any version will do. A tag that is no version of ours is simply none that matches. */
export function parsePrecondition({ 'if-match': header }: IncomingHttpHeaders): Precondition {
  if (header === undefined || header.trim() === '*') return () => true;
  const tags = header.split(',').map((tag) => tag.trim());
  return (version) => tags.includes(`"${version}"`);
}
