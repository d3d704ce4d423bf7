// Mistakes that people make, and the exact text that each gets: a sentence with what to do, and
// never a stack. Each runs as a process of its own.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Role } from '../../src/gateway/auth/roles.js';
import { signToken } from '../../src/gateway/auth/token.js';
import { startDatabase } from '../helpers/database.js';
import { formatUrl } from '../helpers/db-command.js';
import { freePort } from '../helpers/free-port.js';
import { startGateway } from '../helpers/gateway.js';
import { MAIN, run, temporaryFolder } from '../helpers/process.js';
import { MISTAKES, type Mistake } from './mistakes.js';

/** How many processes run at the same time. */
const AT_ONCE = 3;

const SECRET = 'x'.repeat(40);
const sign = (role: Role, sub = 'ada', secret = SECRET): string =>
  signToken({ role, sub, ttlSeconds: 3_600 }, secret);

const folder = await temporaryFolder(t);
const database = await startDatabase(t);
const gateway = await startGateway(t, database, { jwtSecrets: [SECRET] });
await database.query(
  `INSERT INTO vms (hostname, status, email) VALUES ('vm-1', 'in-use', 'ada@example.com')`,
);

/** A server that answers the first message of a client of PostgreSQL. */
async function listen(answer: Buffer): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** PostgreSQL's message ErrorResponse ("Message Formats" in its manual). */
function encodeError(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.from('E....');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

const wrongPassword = encodeError('28P01', 'password authentication failed for user "lablink"');
const free = await freePort();
const config = database.config;
const expired = (): string => {
  // A token of a second, in the past by its own clock.
  const now = Date.now;
  Date.now = () => now() - 3_600_000;
  try {
    return signToken({ role: 'admin', sub: 'a', ttlSeconds: 1 }, SECRET);
  } finally {
    Date.now = now;
  }
};

/** What `{name}` stands for in the arguments and variables, and in the texts. */
const PLACES: Readonly<Record<string, string>> = {
  folder,
  url: gateway.url,
  database: formatUrl(database),
  norole: formatUrl(database, 'nobody_knows'),
  nodatabase: formatUrl(database).replace(`/${config.database}?`, '/no_such?'),
  free: String(free),
  taken: new URL(gateway.url).port,
  nopassword: String(await listen(wrongPassword)),
  nogateway: String(
    await listen(
      Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi'),
    ),
  ),
  notls: String(await listen(Buffer.from('N'))),
};

const FILES: Readonly<Record<string, string | Buffer>> = {
  file: '',
  admin: sign('admin'),
  dashboard: sign('dashboard'),
  other: sign('admin', 'ada', 'y'.repeat(40)),
  expired: expired(),
  notoken: 'Über uns\n',
  'header.csv': 'name,phone\nada,1\n',
  'email.csv': 'email\nada\n',
  'latin1.csv': Buffer.from('email\nmüller@example.com\n', 'latin1'),
  'empty.csv': '',
  'notes.sql': 'SELECT 1;\nSELECT 2;\n',
  'truncated.sql': '--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.0\n',
};
for (const [name, content] of Object.entries(FILES)) await writeFile(join(folder, name), content);
await mkdir(join(folder, 'readonly'), { mode: 0o555 });

const fill = (text: string): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => PLACES[name] ?? whole);

/** Puts the places back, so that the text is the same in every run. */
function generalize(text: string): string {
  return (
    Object.entries(PLACES)
      .sort(([, a], [, b]) => b.length - a.length)
      .reduce((rest, [name, value]) => rest.replaceAll(value, `{${name}}`), text)
      .replaceAll(String(config.database), '{name}')
      .replaceAll(String(config.host), '{host}')
      // A machine without DNS.
      .replaceAll('EAI_AGAIN', 'ENOTFOUND')
  );
}

/** Lines of the log are for programs. */
const isForPeople = (line: string): boolean => line !== '' && !line.startsWith('{"level"');

const hasSetpriv = spawnSync('setpriv', ['--version']).status === 0;
/** A container may let every user listen on every port. */
const firstFreePort = Number(
  await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8').catch(() => '1024'),
);
const isSkipped = ({ unprivileged, env }: Mistake): boolean =>
  unprivileged === true && (!hasSetpriv || Number(env?.PORT ?? 0) >= firstFreePort);

async function make(mistake: Mistake): Promise<{ code: number | null; text: string }> {
  const env = Object.fromEntries(
    Object.entries(mistake.env ?? {}).map(([name, value]) => [name, fill(value)]),
  );
  const command = [
    // Without its capabilities, root is refused what another user is refused.
    ...(mistake.unprivileged === true ? ['setpriv', '--bounding-set', '-all'] : []),
    process.execPath,
    ...(mistake.node ?? []),
    MAIN,
    ...mistake.args.map(fill),
  ];
  const line = mistake.shell === undefined ? '"$@"' : `"$@" ${mistake.shell}`;
  const program = run(t, 'sh', ['-c', line, 'sh', ...command], {
    env: { DATABASE_WAIT_SECONDS: '0', DATA_DIR: join(folder, 'none'), ...env },
    cwd: folder,
  });
  const { code } = await program.exited;
  return { code, text: generalize(program.stderr).split('\n').filter(isForPeople).join('\n') };
}

const waiting = MISTAKES.filter((mistake) => !isSkipped(mistake));

async function makeAll(t: Test): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { code, text } = await make(next);
    t.same({ code, text }, { code: next.code, text: next.text }, next.what);
    t.notMatch(text, /^ +at /m, `${next.what}: no stack`);
  }
}

t.test('every mistake gets a sentence, and no stack', async (t) => {
  for (const { what } of MISTAKES.filter(isSkipped))
    t.pass(what, { skip: 'needs setpriv, and ports for root alone' });
  await Promise.all(Array.from({ length: AT_ONCE }, () => makeAll(t)));
});
