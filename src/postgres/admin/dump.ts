// Dumps of a whole database: written by pg_dump, and loaded into an empty database by psql.

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
  /** The snapshot of an open transaction: the dump holds what that transaction sees. */
  readonly snapshot: string;
  /** The database's encoding, by PostgreSQL's name. */
  readonly encoding: string;
  readonly signal: AbortSignal;
}

/** How long pg_dump waits for a table that another session has locked. */
const LOCK_WAIT_MS = 10_000;

/**
 * Runs pg_dump, and passes the plain SQL of the whole database to `take`. Owners are left out: on
 * another server the role may not exist, and the role that loads the dump owns everything.
 */
export async function dumpDatabase(
  { connection, tools, environment, snapshot, encoding, signal }: DumpSource,
  take: (output: Readable) => Promise<void>,
): Promise<void> {
  const args = [
    ...['--format=plain', '--no-owner', '--no-password', `--snapshot=${snapshot}`],
    `--lock-wait-timeout=${LOCK_WAIT_MS}`,
    // Bytes without an encoding cannot be converted to UTF-8.
    ...(encoding === 'SQL_ASCII' ? ['--encoding=SQL_ASCII'] : []),
  ];
  await withLibpqEnvironment(connection, environment, (variables) =>
    readFromTool({ tools, name: 'pg_dump', args, environment: variables, signal }, take),
  );
}

/** The last line that pg_dump writes. */
export const DUMP_END = '-- PostgreSQL database dump complete';

/** Passes the dump on, and fails at the end if the dump is incomplete. */
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

/**
 * Runs the dump's SQL in an empty database, in one transaction. Errors do not quote rows. The dump
 * itself says COMMIT, after its last line: psql's own `--single-transaction` commits at the end of
 * its input, also when this process is killed in the middle.
 */
export async function loadDump(
  { connection, tools, environment, signal }: LoadTarget,
  sql: Readable,
): Promise<void> {
  const variables = ['--set=ON_ERROR_STOP=1', '--set=VERBOSITY=terse'];
  const quiet = ['--no-psqlrc', '--quiet', '--no-password'];
  const args = [...quiet, ...variables, '--file=-'];
  await withLibpqEnvironment(connection, environment, (libpqEnvironment) =>
    writeToTool(
      { tools, name: 'psql', args, environment: libpqEnvironment, signal },
      pipeThrough(pipeThrough(sql, requireDumpEnd()), makeTransaction()),
    ),
  );
}

/** pg_dump 17 and later write this in the first lines; older servers do not know the setting. */
const NEW_SETTING = /^SET transaction_timeout = 0;$/m;

/** Puts the dump between BEGIN and COMMIT. An incomplete dump ends with an error before COMMIT. */
function makeTransaction(): Transform {
  let isFirst = true;
  return new Transform({
    transform(part: Buffer, _encoding, done) {
      const text = isFirst
        ? Buffer.from(`BEGIN;\n${part.toString('latin1').replace(NEW_SETTING, '')}`, 'latin1')
        : part;
      isFirst = false;
      done(null, text);
    },
    flush(done) {
      done(null, 'COMMIT;\n');
    },
  });
}

/** Opens a dump's file, which may be compressed with gzip. An abort of `signal` destroys it. */
export async function openDump(file: string, signal?: AbortSignal): Promise<Readable> {
  const stream = createReadStream(file, signal === undefined ? {} : { signal });
  if (!(await isGzip(file))) return stream;
  return pipeThrough(stream, createGunzip());
}

/** zlib's codes for a file that ends early, and for bytes that gzip did not write. */
export const isBrokenGzip = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^Z_(BUF|DATA)_ERROR$/.test(String(error.code));

/** Pipes the source through the transform; an error in either of them destroys both. */
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
