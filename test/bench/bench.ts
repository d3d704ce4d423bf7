// The benchmark: a bare LISTEN client, a naive bridge and the gateway, side by side in one run on a
// database of its own. Exits with 1 if the gateway lost, repeated or reordered a push, and with 2
// if the options are invalid.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { SUPERUSER } from '../../src/postgres/embedded/database.js';
import { startEmbedded } from '../../src/postgres/embedded/server.js';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { endProcesses } from '../../src/loadtest/rpc.js';
import { removeRows, insertRows } from '../../src/loadtest/rows.js';
import { ASSIGNMENTS, runAssignments, VMS } from './assignments.js';
import { GROWTH, MOST_SOCKETS, runGrowth } from './growth.js';
import { describeMachine, openFilesLimit } from './machine.js';
import { runPass, type PassResult } from './pass.js';
import { openGuideDatabase } from './guide-database.js';
import type { Bench, Measured } from './servers.js';
import { reportText } from './report.js';
import * as sizing from './sizing.js';
import { SCENARIOS, type Contender, type Scenario } from './scenarios.js';
import { findFaults, mergeRounds } from './verdict.js';
import { writeLastRun } from './last-run.js';

/** A process opens some files beside its sockets; the gateway keeps a twentieth for others. */
const SPARE_FILES = 1_100;
/** The gateway is measured, and not the disk. */
const FORGETFUL = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true },
    'cpu-prof': { type: 'string' },
    /** Puts what is printed into README.md. */
    write: { type: 'boolean' },
  },
});

const NAMES = [...SCENARIOS.map(({ name }) => name), ASSIGNMENTS, GROWTH, sizing.SIZING];
const BY_DEFAULT = [
  ...SCENARIOS.filter(({ onDemand }) => onDemand !== true).map(({ name }) => name),
  ASSIGNMENTS,
];

process.exitCode = await main(values.scenario ?? BY_DEFAULT);

async function main(names: readonly string[]): Promise<number> {
  const refusal = unknownNames(names) ?? tooFewFiles(names);
  if (refusal !== undefined) {
    console.error(refusal);
    return 2;
  }
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupt.abort();
      endProcesses();
    });
  }
  const folder = await mkdtemp(join(tmpdir(), 'lablink-bench-'));
  const server = await startEmbedded({ dataDir: folder, settings: FORGETFUL });
  const { connection } = server;
  const superuser = new pg.Client({ ...connection, user: SUPERUSER, database: 'postgres' });
  const client = new pg.Client(connection);
  let guide: Measured | undefined;
  for (const each of [client, superuser]) each.on('error', () => undefined); // Its query fails too.
  try {
    await migrate(connection, { mode: 'apply' });
    await Promise.all([client.connect(), superuser.connect()]);
    guide = await openGuideDatabase(connection);
    const profileDir = values['cpu-prof'];
    const product = { client, database: connection, hasTriggers: true };
    return await run({ ...product, guide, superuser, profileDir }, names);
  } catch (error) {
    if (interrupt.signal.aborted) return 130;
    throw error;
  } finally {
    endProcesses();
    await Promise.all([client.end(), superuser.end(), guide?.client.end()]);
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function unknownNames(names: readonly string[]): string | undefined {
  const unknown = names.filter((name) => !NAMES.includes(name));
  if (unknown.length === 0) return undefined;
  return `There is no scenario ${unknown.join(', ')}; there are ${NAMES.join(', ')}.`;
}

function tooFewFiles(names: readonly string[]): string | undefined {
  const sockets = SCENARIOS.filter(({ name }) => names.includes(name)).map(
    ({ agents, dashboards }) => agents + dashboards,
  );
  if (names.includes(ASSIGNMENTS)) sockets.push(VMS);
  if (names.includes(GROWTH)) sockets.push(MOST_SOCKETS);
  if (names.includes(sizing.SIZING)) sockets.push(sizing.MOST_SOCKETS);
  const needed = Math.max(0, ...sockets) + SPARE_FILES;
  const limit = openFilesLimit();
  if (limit >= needed) return undefined;
  return (
    `A process may open ${limit} files here, and ${needed} are needed: raise it (ulimit -n), ` +
    `or choose other scenarios (--scenario).`
  );
}

async function run(bench: Bench, names: readonly string[]): Promise<number> {
  const printed: string[] = [];
  const print = (text: string): void => {
    console.log(text);
    printed.push(text);
  };
  print(`${await describeMachine(bench.client)}\n`);
  let faults = 0;
  for (const scenario of SCENARIOS.filter(({ name }) => names.includes(name))) {
    faults += await runScenario(bench, scenario, print);
  }
  if (names.includes(ASSIGNMENTS)) faults += await runAssignments(bench, print);
  if (names.includes(GROWTH)) await runGrowth(bench, print);
  if (names.includes(sizing.SIZING)) await sizing.runSizing(bench, print);
  if (values.write === true) await writeLastRun(printed.join('\n'));
  return faults > 0 ? 1 : 0;
}

/** Returns how many faults it found and printed. */
async function runScenario(
  bench: Bench,
  scenario: Scenario,
  print: (text: string) => void,
): Promise<number> {
  for (const { client } of [bench, bench.guide]) {
    await removeRows(client);
    await insertRows(client, scenario.rows);
  }
  const results = await passes(bench, scenario);
  print(reportText(scenario, results));
  let faults = 0;
  for (const result of results) {
    for (const fault of findFaults(result, scenario)) {
      print(`${result.contender}: ${fault}.\n`);
      // A naive bridge may drown; that is a result.
      if (result.contender !== 'naive') faults++;
    }
  }
  return faults;
}

/**
 * Every contender's rounds, in turn there and back, so that what changes on the machine meanwhile
 * meets all.
 */
async function passes(bench: Bench, scenario: Scenario): Promise<PassResult[]> {
  const { contenders, rounds: count } = scenario;
  const rounds = new Map<Contender, PassResult[]>();
  for (let round = 0; round < count; round++) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) {
      const result = await runPass(bench, scenario, contender);
      rounds.set(contender, [...(rounds.get(contender) ?? []), result]);
    }
  }
  return contenders.flatMap((contender) => {
    const [first, ...others] = rounds.get(contender) ?? [];
    return first === undefined ? [] : [mergeRounds([first, ...others])];
  });
}
