// What the triggers cost a writer: the product's schema beside the guide's own table and its
// one-line trigger, on one server, in turn there and back. `npm run bench:write`; with `-- --write`
// the table is kept in README.md.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { SUPERUSER } from '../../src/postgres/embedded/database.js';
import { startEmbedded } from '../../src/postgres/embedded/server.js';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createGuideDatabase } from '../schema/guide.js';
import { describeMachine } from './machine.js';

/** Rows of a bulk statement. */
const ROWS = 10_000;
/** Rows that single statements change. */
const FEW = 1_000;
/** Statements of one measurement. */
const STATEMENTS = 2_000;
const ROUNDS = Number(process.env.WRITE_ROUNDS ?? 5);
/** The triggers are measured, and not the disk. */
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  autovacuum: 'off',
};
const README = resolve('test/bench/README.md');
const HEADING = '## The last run of `write`\n';

interface Contender {
  readonly name: 'guide' | 'ours';
  readonly config: pg.ClientConfig;
  readonly client: pg.Client;
}

/** Time for a bulk statement, statements a second for the others. */
type Figures = Map<string, { guide: number[]; ours: number[] }>;

const BULK: readonly [name: string, sql: string, before?: string][] = [
  [
    'INSERT',
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, ${ROWS}) n`,
    'TRUNCATE vms',
  ],
  [
    'UPDATE, each an assignment',
    `UPDATE vms SET status = 'in-use', email = 'person-' || id || '@example.com', crd_command = 'start ' || id`,
  ],
  ['UPDATE, each to failed', `UPDATE vms SET status = 'failed'`],
  ['UPDATE, nothing but updated_at', 'UPDATE vms SET updated_at = now()'],
  ['DELETE (the guide has no trigger for it)', 'DELETE FROM vms'],
];

const ASSIGN = `UPDATE vms SET status = 'in-use', email = $2, crd_command = $3 WHERE hostname = $1`;
const TOUCH = 'UPDATE vms SET updated_at = now() WHERE hostname = $1';
const READ = 'SELECT count(*) FROM (SELECT FROM vms WHERE hostname = $1) row';

const folder = await mkdtemp(join(tmpdir(), 'lablink-bench-'));
const server = await startEmbedded({
  dataDir: folder,
  settings: SETTINGS,
  binDir: process.env.WRITE_BIN_DIR,
});
try {
  const guide = await contender('guide');
  const ours = await contender('ours');
  const machine = await describeMachine(ours.client);
  const figures: Figures = new Map();
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of round % 2 === 0 ? [guide, ours] : [ours, guide]) await measure(one, figures);
  }
  const printed = `${machine}\n\n${report(figures)}`;
  console.log(printed);
  if (process.argv.includes('--write')) await keep(printed);
  await Promise.all([guide.client.end(), ours.client.end()]);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function contender(name: Contender['name']): Promise<Contender> {
  const admin = new pg.Client({ ...server.connection, user: SUPERUSER, database: 'postgres' });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name} OWNER ${server.connection.user}`);
  await admin.end();
  const config = { ...server.connection, database: name };
  const client = new pg.Client(config);
  await client.connect();
  const query = async (sql: string) => (await client.query(sql)).rows as never[];
  await createGuideDatabase({ query, value: () => Promise.resolve(null) });
  if (name === 'ours') await migrate(config, { mode: 'apply' });
  return { name, config, client };
}

async function measure(one: Contender, figures: Figures): Promise<void> {
  const note = (label: string, value: number): void => {
    const of = figures.get(label) ?? { guide: [], ours: [] };
    of[one.name].push(value);
    figures.set(label, of);
  };
  for (const [name, sql, before] of BULK) {
    if (before !== undefined) await one.client.query(before);
    await one.client.query('VACUUM ANALYZE vms');
    note(`${name}: ms`, await timeMs(() => one.client.query(sql)));
  }
  await one.client.query('TRUNCATE vms');
  await one.client.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, ${FEW}) n`,
  );
  note('assignments/s, one writer', await perSecond(one, 1, ASSIGN));
  note('assignments/s, eight writers', await perSecond(one, 8, ASSIGN));
  note('touches/s, one writer', await perSecond(one, 1, TOUCH));
  note('reads/s, eight readers beside a bulk UPDATE', await readsBeside(one));
  if (one.name === 'ours') await one.client.query('TRUNCATE vm_events, vm_deliveries');
}

async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return performance.now() - beganMs;
}

async function perSecond(
  { config, client }: Contender,
  count: number,
  sql: string,
): Promise<number> {
  await client.query('VACUUM ANALYZE vms');
  const sessions = await open(config, count);
  let n = 0;
  const write = async (session: pg.Client, times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      n += 1;
      const values = [`vm-${1 + (n % FEW)}`, `person-${n}`, `start ${n}`].slice(
        0,
        sql === TOUCH ? 1 : 3,
      );
      await session.query({ name: 'write', text: sql, values });
    }
  };
  await Promise.all(sessions.map((session) => write(session, 20)));
  const tookMs = await timeMs(() =>
    Promise.all(sessions.map((session) => write(session, STATEMENTS / count))),
  );
  await Promise.all(sessions.map((session) => session.end()));
  return (STATEMENTS * 1_000) / tookMs;
}

/** While one UPDATE changes all rows in a transaction that stays open for a while. */
async function readsBeside({ config, client }: Contender): Promise<number> {
  const readers = await open(config, 8);
  await client.query('BEGIN');
  await client.query(`UPDATE vms SET crd_command = 'bulk'`);
  let n = 0;
  const read = async (session: pg.Client): Promise<void> => {
    for (let i = 0; i < STATEMENTS / 8; i++) {
      n += 1;
      await session.query({ name: 'read', text: READ, values: [`vm-${1 + (n % FEW)}`] });
    }
  };
  const tookMs = await timeMs(() => Promise.all(readers.map(read)));
  await client.query('ROLLBACK');
  await Promise.all(readers.map((reader) => reader.end()));
  return (STATEMENTS * 1_000) / tookMs;
}

async function open(config: pg.ClientConfig, count: number): Promise<pg.Client[]> {
  const sessions = Array.from({ length: count }, () => new pg.Client(config));
  await Promise.all(sessions.map((session) => session.connect()));
  return sessions;
}

/** Medians, and the median of the rounds' ratios. */
function report(figures: Figures): string {
  const lines = [...figures].map(([label, { guide, ours }]) => {
    const ratios = ours.map((value, round) => value / (guide[round] ?? NaN));
    return `| ${label} | ${median(guide).toFixed(0)} | ${median(ours).toFixed(0)} | × ${median(ratios).toFixed(2)} |`;
  });
  return [
    `| ${ROUNDS} rounds, ${ROWS} rows in bulk | guide | ours | |`,
    '| --- | ---: | ---: | ---: |',
    ...lines,
  ].join('\n');
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

async function keep(printed: string): Promise<void> {
  const readme = await readFile(README, 'utf8');
  const [before = ''] = readme.split(HEADING);
  await writeFile(
    README,
    `${before.trimEnd()}\n\n${HEADING}\n\`npm run bench:write\`:\n\n${printed}\n`,
  );
}
