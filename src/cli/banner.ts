// What `serve` says once it serves: what runs where, how to reach the database, and one command to see a change
// pushed. A token is shown only where a person looks at a terminal.

import { relative } from 'node:path';

export interface Banner {
  readonly url: string;
  /** What database, in words. */
  readonly database: string;
  /** How to reach it with psql; undefined when it was named by whoever started the gateway. */
  readonly psql: string | undefined;
  /** An admin's token; undefined where no person looks, or none can be signed. */
  readonly token: string | undefined;
  /** Whether tokens can be signed here, or only verified. */
  readonly signs: boolean;
  /** Whether the commands of this machine find the gateway and its database by themselves. */
  readonly local: boolean;
  /** Whether nobody but this machine reaches the gateway. */
  readonly loopback: boolean;
}

/** The words to run this very program again, from the folder it was started in. */
function formatOwnCommand(): string {
  const script = process.argv[1] ?? '';
  return script.endsWith('.js') ? `node ${relative(process.cwd(), script)}` : 'lablink-gateway';
}

/** The dashboard, signed in: a fragment is never sent to a server, and the page takes the token out of it at once. */
export function formatDashboardLink(url: string, token: string): string {
  return `${url}/#token=${token}`;
}

/** Registers a VM if need be and assigns it anew, so that it shows something however often it is pasted. */
const CHANGE =
  "INSERT INTO vms (hostname, email, status, crd_command) VALUES ('vm-1', 'you@example.com', 'in-use', 'echo hello') " +
  'ON CONFLICT (hostname) DO UPDATE SET status = excluded.status, email = excluded.email, ' +
  "crd_command = 'echo hello, it is ' || to_char(now(), 'HH24:MI:SS')";

export function formatBanner(banner: Banner): string {
  const { url, database, psql, token, signs, local, loopback } = banner;
  const lines = [`  Gateway    ${url}`, `  Dashboard  ${url}/`, `  Database   ${database}`];
  if (psql !== undefined) lines.push(`             ${psql}`);
  if (!signs) {
    lines.push('', '  Tokens are signed elsewhere: JWT_PUBLIC_KEY verifies them, and signs none.');
  }
  // The command needs a token, which it signs itself.
  if (local && signs) {
    lines.push(
      '',
      '  See a change pushed (paste this into another terminal, in this folder):',
      '',
      `  (sleep 2; ${formatOwnCommand()} db sql "${CHANGE}") & ${formatOwnCommand()} watch vm-1`,
    );
  }
  if (token !== undefined) {
    lines.push(
      '',
      '  As an admin, for the next 12 hours:',
      '',
      ...(loopback ? [`  ${formatDashboardLink(url, token)}`, ''] : []),
      `  curl -H 'Authorization: Bearer ${token}' ${url}/v1/vms`,
    );
  }
  return `\n${lines.join('\n')}\n\n`;
}
