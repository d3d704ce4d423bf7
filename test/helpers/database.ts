// Throw-away databases for tests: one cluster a test file, made by the product's own supervisor,
// and any number of databases in it. Everything is gone when the test ends.

import { rm } from 'node:fs/promises';
import pg from 'pg';
import { listServers } from '../../src/postgres/embedded/binaries.js';
import { SUPERUSER } from '../../src/postgres/embedded/database.js';
import { type EmbeddedServer, startEmbedded } from '../../src/postgres/embedded/server.js';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { copyCluster } from './cluster-cache.js';
import { scratchFolder } from './scratch-folder.js';

/** The part of tap's test that is needed. */
export interface Teardown {
  teardown(fn: () => unknown): unknown;
}

export interface TestServerOptions {
  /** The server to use (see `installedBinDirs`); by default what the product would choose. */
  readonly binDir?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

export interface TestDatabaseOptions {
  /** False: an empty database. True, the default: with the product's schema. */
  readonly migrate?: boolean;
  /** By default one that no other database of the server has; one of this name is replaced. */
  readonly name?: string;
  /** The encoding of the database; by default UTF8. */
  readonly encoding?: string;
}

export interface TestDatabase {
  /** As its owner, the role `lablink`. */
  readonly config: pg.ClientConfig;
  /** As the superuser `postgres`. */
  readonly adminConfig: pg.ClientConfig;
  /** Connects as the owner; ended by the teardown. */
  readonly pool: pg.Pool;
  /** Runs one statement on the pool and gives its rows. */
  query<R extends pg.QueryResultRow>(sql: string, params?: unknown[]): Promise<R[]>;
  readonly server: EmbeddedServer;
}

export interface TestServer {
  readonly server: EmbeddedServer;
  readonly createDatabase: (options?: TestDatabaseOptions) => Promise<TestDatabase>;
  /** Ends the server as its operator would; its clients lose their connections. */
  readonly stop: () => Promise<void>;
  /** Starts it again on the same folder and socket. */
  readonly start: () => Promise<void>;
}

/** Every PostgreSQL on this machine, the newest of each place first. */
export function installedBinDirs(): { majorVersion: number; binDir: string }[] {
  return [...installed];
}
const installed = await listServers();

/** Nothing of it is meant to survive a crash of the machine. */
const FORGETFUL = { fsync: 'off', full_page_writes: 'off', shared_buffers: '32MB' };
const TEMPLATE = 'migrated';

/** Starts a cluster that ends, and is removed, with the test `t`. */
export async function startServer(t: Teardown, options?: TestServerOptions): Promise<TestServer> {
  const dataDir = await scratchFolder();
  const pools: pg.Pool[] = [];
  const stops: (() => Promise<void>)[] = [];
  t.teardown(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    for (const stop of stops) await stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  const settings = { ...FORGETFUL, ...options?.settings };
  const boot = () => startEmbedded({ dataDir, settings, binDir: options?.binDir });
  await copyCluster(dataDir, options?.binDir);
  const server = await boot();
  let running = server;
  stops.push(() => running.stop());
  let template: Promise<string> | undefined;
  let count = 0;
  const createDatabase = async (wanted?: TestDatabaseOptions): Promise<TestDatabase> => {
    const name = wanted?.name ?? `test_${(count += 1)}`;
    const migrated = wanted?.migrate ?? true;
    const { encoding } = wanted ?? {};
    const copied = migrated && encoding === undefined;
    await create(
      server,
      name,
      copied ? await (template ??= makeTemplate(server)) : 'template0',
      encoding,
    );
    if (migrated && !copied)
      await migrate({ ...server.connection, database: name }, { mode: 'apply' });
    const database = describe(server, name);
    pools.push(database.pool);
    return database;
  };
  const start = async (): Promise<void> => {
    running = await boot();
  };
  return { server, createDatabase, stop: () => running.stop(), start };
}

/** Starts a cluster with one database in it; both are gone after the test `t`. */
export async function startDatabase(
  t: Teardown,
  options?: TestServerOptions & TestDatabaseOptions,
): Promise<TestDatabase> {
  const { createDatabase } = await startServer(t, options);
  return createDatabase(options);
}

async function makeTemplate(server: EmbeddedServer): Promise<string> {
  await create(server, TEMPLATE, 'template0');
  await migrate({ ...server.connection, database: TEMPLATE }, { mode: 'apply' });
  return TEMPLATE;
}

/** Like the product's database: another role needs to be let in. */
async function create(
  server: EmbeddedServer,
  name: string,
  template: string,
  encoding?: string,
): Promise<void> {
  const { user } = server.connection;
  const client = new pg.Client({ ...server.connection, user: SUPERUSER, database: 'postgres' });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS ${name}`);
    const locale = encoding === undefined ? '' : `ENCODING '${encoding}' LOCALE 'C'`;
    await client.query(`CREATE DATABASE ${name} OWNER ${user} TEMPLATE ${template} ${locale}`);
    await client.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
  } finally {
    await client.end();
  }
}

function describe(server: EmbeddedServer, name: string): TestDatabase {
  const config = { ...server.connection, database: name };
  const pool = new pg.Pool(config);
  pool.on('error', () => undefined); // A test may kill idle connections.
  return {
    config,
    adminConfig: { ...config, user: SUPERUSER },
    pool,
    query: async <R extends pg.QueryResultRow>(sql: string, params: unknown[] = []) =>
      (await pool.query<R>(sql, params)).rows,
    server,
  };
}
