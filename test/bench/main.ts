// The benchmark: a bare LISTEN client, a naive bridge and the gateway, side by side in one run on a database of its
// own. Exits with 1 when the gateway lost a push or put one out of order, with 2 when it cannot be run as asked.

import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startServer, type TestDatabase } from '../helpers/database.js';
import { ASSIGNMENTS, runAssignments, VMS } from './assignments.js';
import { compile } from './compile.js';
import { endProcesses } from './rpc.js';
import { runPass, type Bench, type PassResult } from './pass.js';
import { reportText } from './report.js';
import { seed } from './rows.js';
import { contendersOf, SCENARIOS, type Scenario } from './scenarios.js';
import type { Contender } from './servers.js';
import { faultsOf, mergeRounds } from './verdict.js';

/** A process opens some files beside its sockets. */
const SPARE_FILES = 200;
const OBSERVE_MS = 2_000;

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true },
    'cpu-prof': { type: 'string' },
  },
});

const NAMES = [...SCENARIOS.map(({ name }) => name), ASSIGNMENTS];

process.exitCode = await main(values.scenario ?? NAMES);

async function main(names: readonly string[]): Promise<number> {
  const scenarios = SCENARIOS.filter(({ name }) => names.includes(name));
  const refusal = unknownNames(names) ?? tooFewFiles(scenarios, names);
  if (refusal !== undefined) {
    console.error(refusal);
    return 2;
  }
  const interrupt = new AbortController();
  let teardown: () => unknown = () => undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupt.abort();
      endProcesses();
    });
  }
  try {
    const { createDatabase } = await startServer({ teardown: (fn) => (teardown = fn) });
    return await run(scenarios, names.includes(ASSIGNMENTS), await createDatabase());
  } catch (error) {
    if (interrupt.signal.aborted) return 130;
    throw error;
  } finally {
    await teardown();
  }
}

function unknownNames(names: readonly string[]): string | undefined {
  const unknown = names.filter((name) => !NAMES.includes(name));
  if (unknown.length === 0) return undefined;
  return `There is no scenario ${unknown.join(', ')}; there are ${NAMES.join(', ')}.`;
}

/** Node raises its own limit as far as it may go: the hard limit is what counts. */
function tooFewFiles(scenarios: readonly Scenario[], names: readonly string[]): string | undefined {
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }));
  const sockets = scenarios.map(({ agents, dashboards }) => agents + dashboards);
  const needed = Math.max(...sockets, names.includes(ASSIGNMENTS) ? VMS : 0);
  if (Number.isNaN(limit) || limit >= needed + SPARE_FILES) return undefined;
  return (
    `A process may open ${limit} files here, and ${needed + SPARE_FILES} are needed: raise it ` +
    `(ulimit -n), or choose other scenarios (--scenario).`
  );
}

async function run(
  scenarios: readonly Scenario[],
  assignments: boolean,
  database: TestDatabase,
): Promise<number> {
  const client = new pg.Client(database.config);
  client.on('error', () => undefined); // The query under way fails too.
  await client.connect();
  try {
    const bench: Bench = {
      client,
      pathOf: await compile(),
      env: environmentOf(database.config),
      profileDir: values['cpu-prof'],
    };
    console.log(await machine(client));
    let faults = 0;
    for (const scenario of scenarios) faults += await runScenario(bench, scenario);
    if (assignments) faults += await runAssignments(bench);
    return faults > 0 ? 1 : 0;
  } finally {
    await client.end();
  }
}

async function machine(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ version: string }>(
    `SELECT split_part(current_setting('server_version'), ' ', 1) AS version`,
  );
  const taken = Math.round(100 * (await shareTaken()));
  return (
    `${availableParallelism()} cores shared by all processes; Node ${process.versions.node}, ` +
    `PostgreSQL ${rows[0]?.version ?? ''}; before the run others took ${taken} % of the CPU\n`
  );
}

/** What share of the CPU is taken while the benchmark waits: with much of it gone, latencies are the machine's. */
async function shareTaken(): Promise<number> {
  const sum = (of: (times: ReturnType<typeof cpus>[number]['times']) => number): number =>
    cpus().reduce((total, { times }) => total + of(times), 0);
  const all = (): number => sum((times) => Object.values(times).reduce((a, b) => a + b, 0));
  const [allBefore, idleBefore] = [all(), sum(({ idle }) => idle)];
  await sleep(OBSERVE_MS);
  return 1 - (sum(({ idle }) => idle) - idleBefore) / (all() - allBefore);
}

function environmentOf({ host, port, user, database }: pg.ClientConfig): Record<string, string> {
  return {
    PGHOST: host ?? '',
    PGPORT: String(port),
    PGUSER: user ?? '',
    PGDATABASE: database ?? '',
  };
}

/** Returns how many faults it found and printed. */
async function runScenario(bench: Bench, scenario: Scenario): Promise<number> {
  await seed(bench.client, scenario.rows);
  const results = await passes(bench, scenario);
  console.log(reportText(scenario, results));
  let faults = 0;
  for (const result of results) {
    for (const fault of faultsOf(result, scenario)) {
      console.log(`${result.contender}: ${fault}.\n`);
      // A naive bridge may drown; that is a result.
      if (result.contender !== 'naive') faults++;
    }
  }
  return faults;
}

/** Every contender's rounds, in turn there and back, so that what changes on the machine meanwhile meets all. */
async function passes(bench: Bench, scenario: Scenario): Promise<PassResult[]> {
  const { load } = scenario;
  const contenders = contendersOf(scenario);
  const rounds = new Map<Contender, PassResult[]>();
  for (let round = 0; round < (load.kind === 'pace' ? load.rounds : 1); round++) {
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
