// Reads the rows out of a dump that pg_dump wrote as plain SQL. None of its SQL is run: a file from elsewhere could say
// anything. Bytes are carried as Latin-1, so that every encoding comes through unchanged.

import type { Readable } from 'node:stream';
import { DUMP_END } from './dump.js';
import { MaintenanceError } from './maintenance-error.js';

/** A table whose rows follow, in COPY's text format. */
export interface DumpTable {
  /** With its schema, without quotes: `public.vms`. */
  readonly name: string;
  readonly columns: readonly string[];
  /** Of the rows' bytes, as PostgreSQL calls it. */
  readonly encoding: string;
}

export interface DumpVisitor {
  /** Must read all of `rows`. */
  readonly table: (table: DumpTable, rows: AsyncGenerator<Buffer>) => Promise<void>;
  readonly sequence: (name: string, value: bigint) => void;
}

const IDENTIFIER = String.raw`(?:"(?:[^"]|"")+"|[^\s".(),]+)`;
const COPY = new RegExp(`^COPY (${IDENTIFIER}(?:\\.${IDENTIFIER})?)(?: \\((.*)\\))? +FROM stdin;$`);
const NAMES = new RegExp(IDENTIFIER, 'g');
const SETVAL = /^SELECT pg_catalog\.setval\('([^']+)', (\d+), (?:true|false)\);$/;
const ENCODING = /^SET client_encoding = '([A-Za-z0-9_]+)';$/;
const END_OF_ROWS = '\\.';
/** Rows are passed on in pieces of about this size. */
const BATCH_CHARACTERS = 65_536;

/**
 * Shows the visitor every table and sequence of the dump, in its order.
 * @throws MaintenanceError `bad_backup` when it is no plain dump of one database, or is not whole.
 */
export async function readDump(source: Readable, visitor: DumpVisitor): Promise<void> {
  const lines = new Lines(source);
  await checkBeginning(lines);
  let encoding = 'UTF8';
  let isWhole = false;
  for (let line; (line = await lines.next()) !== undefined;) {
    const [, table, columns = ''] = COPY.exec(line) ?? [];
    const [, sequence, value] = SETVAL.exec(line) ?? [];
    if (table !== undefined) {
      const named = { name: parseNames(table).join('.'), columns: parseNames(columns), encoding };
      await visitor.table(named, readRows(lines));
    } else if (sequence !== undefined && value !== undefined) {
      visitor.sequence(parseNames(sequence).join('.'), BigInt(value));
    } else if (line.startsWith('INSERT INTO public.vms ')) {
      throw createBadBackupError(
        'it was made with --inserts; load it with psql, or make one without',
      );
    } else {
      encoding = ENCODING.exec(line)?.[1] ?? encoding;
      isWhole ||= line === DUMP_END;
    }
  }
  if (!isWhole) throw createBadBackupError('it is cut off: the line that ends a dump is missing');
}

const createBadBackupError = (why: string): MaintenanceError =>
  new MaintenanceError('bad_backup', `The file cannot be restored: ${why}.`);

/** The first lines of every dump of one database; other files are given up before they are read. */
async function checkBeginning(lines: Lines): Promise<void> {
  const first = [await lines.next(), await lines.next()];
  if (first[0]?.startsWith('PGDMP')) {
    throw createBadBackupError(
      'it is an archive of pg_dump; "pg_restore -f plain.sql FILE" makes plain SQL of it',
    );
  }
  if (first[1] !== '-- PostgreSQL database dump')
    throw createBadBackupError('it is no plain dump of one database');
}

/** Names as they are, without the quotes they may need in SQL. */
function parseNames(text: string): string[] {
  return (text.match(NAMES) ?? []).map((name) =>
    decodeUtf8(name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name),
  );
}

const decodeUtf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();

async function* readRows(lines: Lines): AsyncGenerator<Buffer> {
  let piece = '';
  for (;;) {
    const line = await lines.next();
    if (line === undefined) throw createBadBackupError('it is cut off in the middle of a table');
    if (line === END_OF_ROWS) break;
    piece += `${line}\n`;
    if (piece.length < BATCH_CHARACTERS) continue;
    yield Buffer.from(piece, 'latin1');
    piece = '';
  }
  if (piece !== '') yield Buffer.from(piece, 'latin1');
}

/** A stream, line by line. */
class Lines {
  readonly #parts: AsyncIterator<Buffer>;
  #lines: string[] = [];
  #next = 0;
  /** The beginning of a line whose end has not come yet. */
  #begun: string[] = [];

  constructor(source: Readable) {
    this.#parts = (source as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** Undefined at the end. */
  async next(): Promise<string | undefined> {
    while (this.#next === this.#lines.length) {
      const part = await this.#parts.next();
      if (part.done === true) return this.#last();
      this.#take(part.value.toString('latin1'));
    }
    return this.#lines[this.#next++];
  }

  #take(text: string): void {
    const lines = text.split('\n');
    const begun = lines.pop() ?? '';
    const [first] = lines;
    if (first !== undefined) {
      lines[0] = this.#begun.join('') + first;
      this.#begun = [];
    }
    this.#begun.push(begun);
    this.#lines = lines;
    this.#next = 0;
  }

  #last(): string | undefined {
    const last = this.#begun.join('');
    this.#begun = [];
    return last === '' ? undefined : last;
  }
}
