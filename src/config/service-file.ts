// Reads the connection service file of libpq (PGSERVICE): named sets of connection parameters. It
// is looked for where libpq does: PGSERVICEFILE, ~/.pg_service.conf, PGSYSCONFDIR.

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { quoteValue } from './config-error.js';

/** Where the file may be. */
export interface ServiceFiles {
  /** PGSERVICEFILE. */
  readonly file: string | undefined;
  /** PGSYSCONFDIR. */
  readonly folder: string | undefined;
}

/** Debian's folder of its own libpq. */
const SYSTEM_FOLDER = '/etc/postgresql-common';

/**
 * Reads the parameters of a service.
 * @returns a string if there are none: the reason, which quotes no value of the file
 */
export function readService(name: string, where: ServiceFiles): Map<string, string> | string {
  const own = where.file ?? join(homedir(), '.pg_service.conf');
  const paths = [own, join(where.folder ?? SYSTEM_FOLDER, 'pg_service.conf')];
  for (const path of paths) {
    const text = readText(path);
    // libpq too goes on with the next file, unless the file was named.
    if (text === undefined && path === where.file) {
      return `the file ${quoteValue(path)} cannot be read`;
    }
    const service = text === undefined ? undefined : parseService(text, name, path);
    if (service !== undefined) return service;
  }
  return `no service ${quoteValue(name)} is in ${paths.map(quoteValue).join(' or ')}`;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @returns undefined if the file lacks the service; a string if its section cannot be read */
function parseService(
  text: string,
  name: string,
  path: string,
): Map<string, string> | string | undefined {
  let found: Map<string, string> | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    if (content.startsWith('[')) {
      if (found !== undefined) return found;
      if (content === `[${name}]`) found = new Map();
      continue;
    }
    if (found === undefined) continue;
    const [, keyword, value = ''] = /^([a-z_]+)=(.*)$/.exec(content) ?? [];
    if (keyword === undefined) return `line ${index + 1} of ${quoteValue(path)} is not name=value`;
    found.set(keyword, value);
  }
  return found;
}
