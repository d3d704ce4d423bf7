// The rows that cannot be read, because a value is not a text in the client's encoding. Each is
// logged once, and again when it can be read; every full read tries again.

import type { Logger } from 'pino';
import type { UnreadableRow } from '../database/fleet-reads.js';
import type { ReadRequest } from '../stale/stale-hostnames.js';

const UNREADABLE =
  'a row cannot be read: a value is not valid text in its encoding. Its VM keeps the last known state; ' +
  '`lablink-gateway db doctor` names the row';

export class UnreadableRows {
  /** By id, or by hostname where a notification named the row. */
  readonly #rows = new Map<string, UnreadableRow>();

  constructor(private readonly log: Pick<Logger, 'error' | 'info'>) {}

  get size(): number {
    return this.#rows.size;
  }

  /** Takes in what a read could not read. */
  record(request: ReadRequest, unreadable: readonly UnreadableRow[]): void {
    if (request.kind === 'rows') {
      for (const { hostname } of unreadable) this.#logNew(hostname ?? '', { id: '', hostname });
      return;
    }
    const found = new Map(unreadable.map((row) => [row.hostname ?? `id ${row.id}`, row]));
    for (const [key, { id, hostname }] of this.#rows) {
      if (found.has(key)) continue;
      this.#rows.delete(key);
      this.log.info({ id, hostname }, 'a row can be read again, or is gone');
    }
    for (const [key, row] of found) this.#logNew(key, row);
  }

  #logNew(key: string, row: UnreadableRow): void {
    if (!this.#rows.has(key)) this.log.error({ ...row }, UNREADABLE);
    this.#rows.set(key, row);
  }
}
