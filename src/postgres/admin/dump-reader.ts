// Reads the rows from a dump that pg_dump wrote as plain SQL. No SQL of the file is run, because a
// file from elsewhere could contain anything. Bytes are read as Latin-1, so every encoding
// survives.

import type { Readable } from 'node:stream';
import { DUMP_END, isBrokenGzip } from './dump.js';
import { MaintenanceError } from './maintenance-error.js';

/** A table of the dump; its rows follow in COPY's text format. */
export interface DumpTable {
  /** The name with its schema, without quotes: `public.vms`. */
  readonly name: string;
  readonly columns: readonly string[];
  /** The encoding of the rows' bytes, by PostgreSQL's name. */
  readonly encoding: string;
}

/** Callbacks for the tables and sequences of a dump. */
export interface DumpVisitor {
  /** Must read `rows` to the end. */
  readonly table: (table: DumpTable, rows: AsyncGenerator<Buffer>) => Promise<void>;
  readonly sequence: (name: string, value: bigint) => void;
}

const IDENTIFIER = String.raw`(?:"(?:[^"]|"")+"|[^\s".(),]+)`;
const COPY = new RegExp(`^COPY (${IDENTIFIER}(?:\\.${IDENTIFIER})?)(?: \\((.*)\\))? +FROM stdin;$`);
const NAMES = new RegExp(IDENTIFIER, 'g');
const SETVAL = /^SELECT pg_catalog\.setval\('([^']+)', (\d+), (?:true|false)\);$/;
const ENCODING = /^SET client_encoding = '([A-Za-z0-9_]+)';$/;
const END_OF_ROWS = '\\.';
/** Rows are passed on in batches of about this size. */
const BATCH_CHARACTERS = 65_536;

/**
 * Calls the visitor for every table and sequence of the dump, in its order.
 *
 * @throws MaintenanceError `bad_backup` if it is not a plain dump of one database, or is
 * incomplete.
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

/** Checks the first lines, so that other files are refused before they are read. */
async function checkBeginning(lines: Lines): Promise<void> {
  const first = [await lines.next(), await lines.next()];
  if (first[0]?.startsWith('PGDMP')) {
    throw createBadBackupError(
      'it is an archive of pg_dump; "pg_restore -f plain.sql FILE" makes plain SQL of it',
    );
  }
  if (first[1] !== '-- PostgreSQL database dump')
    throw createBadBackupError('it is not a plain dump of one database');
}

/** Parses identifiers, and removes the quotes that they may need in SQL. */
function parseNames(text: string): string[] {
  return (text.match(NAMES) ?? []).map((name) =>
    decodeUtf8(name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name),
  );
}

const decodeUtf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();

async function* readRows(lines: Lines): AsyncGenerator<Buffer> {
  let batch = '';
  for (;;) {
    const line = await lines.next();
    if (line === undefined) throw createBadBackupError('it is cut off in the middle of a table');
    if (line === END_OF_ROWS) break;
    batch += `${line}\n`;
    if (batch.length < BATCH_CHARACTERS) continue;
    yield Buffer.from(batch, 'latin1');
    batch = '';
  }
  if (batch !== '') yield Buffer.from(batch, 'latin1');
}

/** Splits a stream into lines. */
class Lines {
  readonly #parts: AsyncIterator<Buffer>;
  #lines: string[] = [];
  #next = 0;
  /** The parts of a line whose end has not arrived. */
  #partial: string[] = [];

  constructor(source: Readable) {
    this.#parts = (source as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** Returns the next line; undefined at the end. */
  async next(): Promise<string | undefined> {
    while (this.#next === this.#lines.length) {
      const part = await this.#parts.next().catch((error: unknown) => {
        throw isBrokenGzip(error) ? createBadBackupError('gzip cannot read it to its end') : error;
      });
      if (part.done === true) return this.#last();
      this.#split(part.value.toString('latin1'));
    }
    return this.#lines[this.#next++];
  }

  #split(text: string): void {
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    const [first] = lines;
    if (first !== undefined) {
      lines[0] = this.#partial.join('') + first;
      this.#partial = [];
    }
    this.#partial.push(rest);
    this.#lines = lines;
    this.#next = 0;
  }

  #last(): string | undefined {
    const last = this.#partial.join('');
    this.#partial = [];
    return last === '' ? undefined : last;
  }
}
