// How large, and how many: what the sockets of one gateway take of memory, and what every gateway
// that listens costs the database. Only ratios and memory mean something on a machine that others
// use too.

import pg from 'pg';
import { OWNER } from '../../src/postgres/embedded/database.js';
import { VirtualUsers } from '../../src/loadtest/virtual-users.js';
import { removeRows, insertRows } from '../../src/loadtest/rows.js';
import { formatMarkdownTable } from '../../src/table.js';
import { CREDENTIALS, Server, type Bench } from './servers.js';

export const SIZING = 'sizing';
/** There and back, so that what changes on the machine meanwhile meets all. */
const LISTENERS = [1, 5, 20, 40];
const WRITERS = 4;
const ROUND_MS = 2_500;
/** A transaction each, without a round trip for each: the server alone is measured. */
const COMMITS = 200;
const ROWS = 1_000;
const SOCKETS = [0, 1_000, 5_000, 10_000];
export const MOST_SOCKETS = Math.max(...SOCKETS);
const DEADLINE_MS = 60_000;

const CHANGES = `
  DO $$ BEGIN
    FOR n IN 1..${COMMITS} LOOP
      UPDATE vms SET email = md5(random()::text) 
        WHERE hostname = 'loadtest-' || lpad(floor(random() * ${ROWS})::text, 5, '0');
      COMMIT;
    END LOOP;
  END $$`;

async function connected(database: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(database);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Hears what a gateway hears, reads it and throws it away: what remains is the server's cost. */
async function listener(database: pg.ClientConfig): Promise<pg.Client> {
  const client = await connected(database);
  await client.query('LISTEN vm_updates; LISTEN vm_changes');
  const { stream } = client.connection;
  stream.removeAllListeners('data');
  stream.resume();
  return client;
}

/** Commits a second while so many listen, in the same database or in another of the server. */
async function commitsPerSecond(
  database: pg.ClientConfig,
  listeners: number,
  heard = database,
): Promise<number> {
  const listening = await Promise.all(Array.from({ length: listeners }, () => listener(heard)));
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => connected(database)));
  const from = performance.now();
  let commits = 0;
  await Promise.all(
    writers.map(async (writer) => {
      while (performance.now() - from < ROUND_MS) {
        await writer.query(CHANGES);
        commits += COMMITS;
      }
    }),
  );
  const rate = (commits * 1_000) / (performance.now() - from);
  // A server that does not answer is not asked to close.
  for (const client of listening) client.connection.stream.destroy();
  await Promise.all(writers.map((writer) => writer.end()));
  return rate;
}

async function listeningCosts(
  database: pg.ClientConfig,
  other: pg.ClientConfig,
): Promise<string[][]> {
  const rates = new Map<number, number[]>();
  await commitsPerSecond(database, 1); // Warm.
  for (const count of [...LISTENERS, ...LISTENERS.toReversed()]) {
    const rate = await commitsPerSecond(database, count);
    rates.set(count, [...(rates.get(count) ?? []), rate]);
  }
  const mean = (of: readonly number[] = []): number => of.reduce((a, b) => a + b, 0) / of.length;
  const elsewhere = Math.max(...LISTENERS);
  rates.set(-1, [await commitsPerSecond(database, elsewhere, other)]);
  const one = mean(rates.get(1));
  return [...rates].map(([count, measured]) => {
    const who = count === -1 ? `${elsewhere}, of another database` : String(count);
    return [who, mean(measured).toFixed(0), `× ${(mean(measured) / one).toFixed(2)}`];
  });
}

/** The memory of a gateway with so many agents, after garbage collections. */
async function socketCosts(bench: Bench): Promise<string[][]> {
  const lines: string[][] = [];
  for (const agents of SOCKETS) {
    const server = await Server.start('gateway', bench, SIZING);
    const dashboards = agents === 0 ? 0 : 20;
    const crowd = new VirtualUsers({ agents, dashboards, rows: MOST_SOCKETS });
    try {
      await crowd.join(server.endpoint, CREDENTIALS);
      await crowd.connect(Infinity);
      await crowd.waitUntilConnected(DEADLINE_MS);
      const { rss, heap } = await server.memory();
      const mib = (bytes: number): string => (bytes / 1024 ** 2).toFixed(0);
      lines.push([String(agents + dashboards), mib(rss), mib(heap)]);
    } finally {
      await Promise.all([crowd.stop(), server.stop()]);
    }
  }
  return lines;
}

export async function runSizing(bench: Bench, print: (text: string) => void): Promise<void> {
  const { client, superuser, database } = bench;
  await removeRows(client);
  await insertRows(client, ROWS);
  await superuser.query(`CREATE DATABASE ${SIZING} OWNER ${OWNER}`);
  const listening = await listeningCosts(database, { ...database, database: SIZING });
  print(
    formatMarkdownTable([['listeners', 'commits/s', 'to one listener'], ...listening]).join('\n'),
  );
  await removeRows(client);
  await insertRows(client, MOST_SOCKETS);
  print(
    [
      '',
      ...formatMarkdownTable([['sockets', 'RSS MiB', 'JS MiB'], ...(await socketCosts(bench))]),
    ].join('\n'),
  );
}
