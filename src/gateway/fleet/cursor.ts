// Cursors: a position in one process's log, as text. Clients treat a cursor as opaque.

export interface Cursor {
  /** Identifies the process whose log the offset belongs to. */
  readonly epoch: string;
  /** A safe integer, 0 or more. */
  readonly offset: number;
}

export function formatCursor(epoch: string, offset: number): string {
  return `${epoch}.${offset}`;
}

/**
 * Parses a client's cursor. An epoch has 1 to 64 characters: letters, digits, `_` and `-`.
 * @returns undefined if the text is malformed.
 */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9]\d{0,15})$/.exec(text);
  const [, epoch, digits] = match ?? [];
  if (epoch === undefined || digits === undefined) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? { epoch, offset } : undefined;
}
