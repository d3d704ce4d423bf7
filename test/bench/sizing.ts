// How large, and how many: what the sockets of one gateway take of memory, and what every gateway that listens costs the
// database. `npx tsx test/bench/sizing.ts`; ends by itself after about a minute. Only ratios and memory mean something
// on a machine that others use too.

import pg from 'pg';
import { startServer, type TestDatabase } from '../helpers/database.js';
import { compile } from './compile.js';
import { Crowd } from './crowd.js';
import { endProcesses } from './rpc.js';
import { seed } from './rows.js';
import type { Scenario } from './scenarios.js';
import { Server } from './servers.js';

/** There and back, so that what changes on the machine meanwhile meets all. */
const LISTENERS = [1, 5, 20, 40];
const WRITERS = 4;
const ROUND_MS = 2_500;
/** A transaction each, without a round trip for each: the server alone is measured. */
const COMMITS = 200;
const ROWS = 1_000;
const SOCKETS = [0, 1_000, 5_000, 10_000];

const CHANGES = `
  DO $$ BEGIN
    FOR n IN 1..${COMMITS} LOOP
      UPDATE vms SET email = md5(random()::text) WHERE id = 1 + floor(random() * ${ROWS});
      COMMIT;
    END LOOP;
  END $$`;

async function connected(database: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client(database.config);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Hears what a gateway hears, reads it and throws it away: what remains is the server's cost. */
async function listener(database: TestDatabase): Promise<pg.Client> {
  const client = await connected(database);
  await client.query('LISTEN vm_updates; LISTEN vm_changes');
  const { stream } = client.connection;
  stream.removeAllListeners('data');
  stream.resume();
  return client;
}

/** Commits a second while so many listen, in the same database or in another of the server. */
async function commitsPerSecond(
  database: TestDatabase,
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
  // One that answers no more is not asked to say goodbye.
  for (const client of listening) client.connection.stream.destroy();
  await Promise.all(writers.map((writer) => writer.end()));
  return rate;
}

async function listeningCosts(database: TestDatabase, other: TestDatabase): Promise<string[]> {
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
    return `| ${who} | ${Math.round(mean(measured))} | × ${(mean(measured) / one).toFixed(2)} |`;
  });
}

/** What a gateway holds with so many agents, after garbage collections. */
async function socketCosts(database: TestDatabase): Promise<string[]> {
  const { host = '', port, user = '', database: name = '' } = database.config;
  const env = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGDATABASE: name };
  const pathOf = await compile();
  const lines: string[] = [];
  for (const agents of SOCKETS) {
    const server = await Server.start('gateway', { pathOf, env, profileDir: undefined }, 'sizing');
    const scenario = { agents, dashboards: agents === 0 ? 0 : 20, rows: Math.max(...SOCKETS) };
    const crowd = new Crowd(pathOf('clients'), scenario as Scenario, { env });
    await crowd.connect({ url: server.url, tellsState: true });
    const { rss, heap } = await server.memory();
    const mib = (bytes: number): number => Math.round(bytes / 1024 ** 2);
    lines.push(`| ${agents + scenario.dashboards} | ${mib(rss)} | ${mib(heap)} |`);
    await crowd.stop();
    await server.stop();
  }
  return lines;
}

let teardown: () => unknown = () => undefined;
try {
  const { createDatabase } = await startServer({ teardown: (fn) => (teardown = fn) });
  const database = await createDatabase();
  const client = await connected(database);
  await seed(client, ROWS);
  console.log('| listeners | commits/s | to one listener |\n| ---: | ---: | ---: |');
  console.log((await listeningCosts(database, await createDatabase())).join('\n'));
  await seed(client, Math.max(...SOCKETS));
  console.log('\n| sockets | RSS MiB | JS MiB |\n| ---: | ---: | ---: |');
  console.log((await socketCosts(database)).join('\n'));
  await client.end();
} finally {
  endProcesses();
  await teardown();
}
