// Dumps of a whole database: written by pg_dump, and brought back with psql into an empty database.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Transform, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type pg from 'pg';
import { withLibpqEnvironment } from './libpq.js';
import { MaintenanceError } from './maintenance-error.js';
import { readFromTool, writeToTool, type Tools } from './tools.js';

export interface DumpSource {
  readonly connection: pg.ClientConfig;
  readonly tools: Tools;
  readonly environment: NodeJS.ProcessEnv;
  /** Of a transaction that is open meanwhile: the dump is of what it sees. */
  readonly snapshot: string;
  readonly signal: AbortSignal;
}

/**
 * Has `take` read the plain SQL of the whole database. Owners are left out, so that whoever brings it back owns it, as
 * elsewhere the role may not exist.
 */
export async function dumpDatabase(
  { connection, tools, environment, snapshot, signal }: DumpSource,
  take: (output: Readable) => Promise<void>,
): Promise<void> {
  const args = ['--format=plain', '--no-owner', '--no-password', `--snapshot=${snapshot}`];
  await withLibpqEnvironment(connection, environment, (variables) =>
    readFromTool({ tools, name: 'pg_dump', args, environment: variables, signal }, take),
  );
}

/** What pg_dump writes last. */
export const DUMP_END = '-- PostgreSQL database dump complete';

/** Passes the dump on, and fails at its end when that is not a dump's. */
export function requireDumpEnd(): Transform {
  let tail = '';
  return new Transform({
    transform(part: Buffer, _encoding, done) {
      tail = (tail + part.toString('latin1')).slice(-1_000);
      done(null, part);
    },
    flush(done) {
      const isWhole = tail.includes(DUMP_END);
      done(isWhole ? null : new MaintenanceError('failed', 'pg_dump ended before the dump did'));
    },
  });
}

export interface LoadTarget {
  readonly connection: pg.ClientConfig;
  readonly tools: Tools;
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Runs a dump's SQL in one transaction, into a database that is empty. What it says of rows is not repeated. */
export async function loadDump(
  { connection, tools, environment, signal }: LoadTarget,
  sql: Readable,
): Promise<void> {
  const args = [
    '-X',
    '-q',
    '-w',
    '-v',
    'ON_ERROR_STOP=1',
    '-v',
    'VERBOSITY=terse',
    '-1',
    '-f',
    '-',
  ];
  await withLibpqEnvironment(connection, environment, (variables) =>
    writeToTool(
      { tools, name: 'psql', args, environment: variables, signal },
      pipeThrough(sql, removeNewSettings()),
    ),
  );
}

/** A newer pg_dump sets this, which servers before 17 do not know. It stands in the first lines. */
const NEW_SETTING = /^SET transaction_timeout = 0;$/m;

function removeNewSettings(): Transform {
  let isFirst = true;
  return new Transform({
    transform(part: Buffer, _encoding, done) {
      const text = isFirst
        ? Buffer.from(part.toString('latin1').replace(NEW_SETTING, ''), 'latin1')
        : part;
      isFirst = false;
      done(null, text);
    },
  });
}

/** The text of a dump's file, which may be compressed with gzip. */
export async function openDump(file: string): Promise<Readable> {
  const stream = createReadStream(file);
  if (!(await isGzip(file))) return stream;
  return pipeThrough(stream, createGunzip());
}

/** What fails in one of them fails in the other. */
export function pipeThrough(source: Readable, transform: Transform): Readable {
  return pipeline(source, transform, () => undefined);
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE() === 0x1f8b; // RFC 1952 §2.3.1
  } finally {
    await handle.close();
  }
}
