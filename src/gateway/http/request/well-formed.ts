// Finds what is wrong with the head of a request that Node's parser accepts, before anything else
// is done with it.

import type { IncomingMessage } from 'node:http';
import { hasValidHost } from './host.js';

/** The part of a request that is needed here. */
type RequestHead = Pick<IncomingMessage, 'httpVersion' | 'rawHeaders' | 'headers' | 'url'>;

/** Finds the fault of a request, as text for people; undefined if there is none. */
export function findMalformation(request: RequestHead): string | undefined {
  const { httpVersion, headers, url = '' } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'The version must be HTTP/1.1 or 1.0.';
  if (!hasValidHost(request)) return 'A request needs one valid Host.';
  // Another coding would have to be decoded (RFC 9112 §6.1).
  const coding = headers['transfer-encoding']?.toLowerCase() ?? 'chunked';
  if (coding !== 'chunked') return 'The only Transfer-Encoding is chunked.';
  if (!hasValidQuery(url)) return 'The query must be percent-encoded UTF-8.';
  return undefined;
}

/** The parser of queries replaces bytes that are not UTF-8, and would search for other text. */
function hasValidQuery(url: string): boolean {
  const start = url.indexOf('?');
  if (start < 0 || !url.includes('%', start)) return true;
  try {
    decodeURIComponent(url.slice(start));
    return true;
  } catch {
    return false;
  }
}
