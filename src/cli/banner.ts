// The banner that `serve` prints once it serves: URLs, how to reach the database, and a command
// that shows a pushed change. A token is shown only on a terminal.

import { relative, resolve } from 'node:path';
import { DEFAULT_DATA_DIR } from '../config/variables.js';

/** The content of the banner. */
export interface Banner {
  readonly url: string;
  /** The database, in words. */
  readonly database: string;
  /** How to connect with psql; undefined for a configured database. */
  readonly psql: string | undefined;
  /** An admin's token; undefined without a terminal, or without a secret to sign with. */
  readonly token: string | undefined;
  /** A link that signs in as an admin once; undefined if its code could not be stored. */
  readonly link: string | undefined;
  /** Whether tokens can be signed here; else they are only verified. */
  readonly signs: boolean;
  /**
   * The folder in which commands on this machine find the gateway and its database; undefined for a
   * configured database.
   */
  readonly dataDir: string | undefined;
  /** Whether only this machine can reach the gateway. */
  readonly loopback: boolean;
}

/** Formats the command that runs this program from the current folder, for this gateway. */
function formatOwnCommand(dataDir: string | undefined): string {
  const script = process.argv[1] ?? '';
  const program = script.endsWith('.js')
    ? `node ${relative(process.cwd(), script)}`
    : 'lablink-gateway';
  if (dataDir === undefined || dataDir === resolve(DEFAULT_DATA_DIR)) return program;
  return `DATA_DIR='${dataDir.replaceAll("'", "'\\''")}' ${program}`;
}

/** Registers a VM if necessary and assigns it again, so that every run shows a change. */
const CHANGE =
  "INSERT INTO vms (hostname, email, status, crd_command) VALUES ('vm-1', 'you@example.com', 'in-use', 'echo hello') " +
  'ON CONFLICT (hostname) DO UPDATE SET status = excluded.status, email = excluded.email, ' +
  "crd_command = 'echo hello, it is ' || to_char(now(), 'HH24:MI:SS')";

/** Formats the banner, with an empty line before and after. */
export function formatBanner(banner: Banner): string {
  const { url, database, psql, token, link, signs, dataDir, loopback } = banner;
  const lines = [`  Gateway    ${url}`, `  Dashboard  ${url}/`, `  Database   ${database}`];
  if (psql !== undefined) lines.push(`             ${psql}`);
  if (!signs) {
    lines.push('', '  Tokens are signed elsewhere: JWT_PUBLIC_KEY only verifies them.');
  }
  // The command signs its own token.
  if (dataDir !== undefined && signs) {
    const command = formatOwnCommand(dataDir);
    lines.push(
      '',
      '  See a change pushed (paste this into another terminal, in this folder):',
      '',
      `  (sleep 2; ${command} db sql "${CHANGE}") & ${command} watch vm-1`,
    );
  }
  if (token !== undefined) {
    lines.push(
      '',
      '  As an admin, for the next 12 hours:',
      '',
      ...(loopback && link !== undefined
        ? [
            `  ${link}`,
            `  (good once, for 5 minutes; another one: ${formatOwnCommand(dataDir)} token --role admin --link)`,
            '',
          ]
        : []),
      `  curl -H 'Authorization: Bearer ${token}' ${url}/v1/vms`,
    );
  }
  return `\n${lines.join('\n')}\n\n`;
}
