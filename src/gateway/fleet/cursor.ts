// Cursors: a place in one process's log, as text. To a client a cursor is opaque.

export interface Cursor {
  /** The process whose log it is a place in. */
  readonly epoch: string;
  readonly offset: number;
}

export function formatCursor(epoch: string, offset: number): string {
  return `${epoch}.${offset}`;
}

/** Reads a client's cursor; undefined when it is malformed. An epoch is 1 to 64 word characters. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9]\d{0,15})$/.exec(text);
  const [, epoch, digits] = match ?? [];
  if (epoch === undefined || digits === undefined) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? { epoch, offset } : undefined;
}
