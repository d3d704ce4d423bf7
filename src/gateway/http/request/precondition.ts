// Compares the versions of rows with the entity tags that a client sends. `If-Match` makes a change
// only if the row has the version that the client has seen, and `If-None-Match` saves the body of a
// version that the client has (RFC 9110 §13.1).

import type { IncomingHttpHeaders } from 'node:http';
import type { Precondition } from '../../database/changes.js';

const ENTITY_TAG = /^(W\/)?("[\x21\x23-\x7e\x80-\xff]*")$/;

interface EntityTag {
  readonly isWeak: boolean;
  /** With its quotes. */
  readonly tag: string;
}

/**
 * Parses the precondition of a change: `If-Match`, and that `If-None-Match` does not name the
 * version. Without these headers every version is right.
 * @returns undefined if `If-Match` is not `*` or a list of entity tags
 */
export function parsePrecondition(headers: IncomingHttpHeaders): Precondition | undefined {
  const matches = parseIfMatch(headers);
  return matches && ((version) => matches(version) && !isNotModified(headers, version));
}

/** The comparison is the strong one: a weak tag matches no version. */
function parseIfMatch({ 'if-match': header }: IncomingHttpHeaders): Precondition | undefined {
  if (header === undefined || header.trim() === '*') return () => true;
  const tags = parseEntityTags(header);
  return (
    tags && ((version) => tags.some(({ isWeak, tag }) => !isWeak && tag === formatTag(version)))
  );
}

/**
 * Whether `If-None-Match` names this version, by the weak comparison. A header that is no list of
 * tags is ignored, because the client then only gets the row again.
 */
export function isNotModified(
  { 'if-none-match': header }: IncomingHttpHeaders,
  version: number,
): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return parseEntityTags(header)?.some(({ tag }) => tag === formatTag(version)) ?? false;
}

/** Formats the strong entity tag of a version. */
export const formatTag = (version: number): string => `"${version}"`;

function parseEntityTags(header: string): readonly EntityTag[] | undefined {
  const members = header
    .split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .map((member) => member.trim())
    .filter((member) => member !== '');
  const tags: EntityTag[] = [];
  for (const member of members) {
    const [, weak, tag] = ENTITY_TAG.exec(member) ?? [];
    if (tag === undefined) return undefined;
    tags.push({ isWeak: weak !== undefined, tag });
  }
  return tags.length === 0 ? undefined : tags;
}
