// The subcommand `loadtest`: simulates many clients of a gateway, and reports latency and losses.
// The result goes to stdout, progress to stderr. Exit code 1 if a threshold is exceeded.

import { writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { createToolEnvironment, type Config } from '../config/load.js';
import { parseDurationMs } from '../time/duration.js';
import { LOAD_DURATION, LOCAL_TARGET_FAULTS, parseFaults } from '../loadtest/faults.js';
import { UnsuitableTargetError, runLoadTest } from '../loadtest/load-test.js';
import { startLocalTarget } from '../loadtest/local-target.js';
import { DEFAULTS, PROFILES, type Plan } from '../loadtest/plan.js';
import { Progress } from '../loadtest/progress.js';
import { renderHtml, type ReportContext } from '../loadtest/report-html.js';
import { renderText } from '../loadtest/report-text.js';
import type { LoadTestResult } from '../loadtest/result.js';
import { endProcesses } from '../loadtest/rpc.js';
import type { Target } from '../loadtest/target.js';
import { withClient } from '../postgres/client.js';
import { ExitCode, UsageError } from './exit.js';
import { printInfo } from './print.js';
import { findRemoteTarget, type RemoteOptions } from './loadtest-target.js';

interface Options
  extends Partial<Omit<Plan, 'durationMs' | 'settleMs' | 'thresholds'>>, RemoteOptions {
  readonly profile?: string;
  readonly duration?: number;
  readonly settle?: number;
  readonly maxP99?: number;
  readonly maxLost?: number;
  readonly json?: true;
  readonly html?: string;
}

const HELP = `
Profiles (an option on the command line overrides the profile's):
${Object.entries(PROFILES)
  .map(([name, { about }]) => `  ${name.padEnd(10)}${about}`)
  .join('\n')}

Duplicate or out-of-order messages always make the exit code 1.`;

/** @param load loads the configuration; called only when the command needs it. */
export function createLoadtestCommand(load: () => Config): Command {
  return new Command('loadtest')
    .description('simulate many clients, and report latency and losses')
    .addOption(new Option('--profile <name>', 'a load by name').choices(Object.keys(PROFILES)))
    .option('--agents <count>', `VMs with an agent (default: ${DEFAULTS.agents})`, parseCount)
    .option(
      '--dashboards <count>',
      `clients that watch all VMs (default: ${DEFAULTS.dashboards})`,
      parseCount,
    )
    .option('--vms <count>', 'rows (default: one per agent)', parseCount)
    .option('--rate <rows>', `rows changed per second (default: ${DEFAULTS.rate})`, parseRate)
    .option(
      '--batch <rows>',
      `rows that one UPDATE changes (default: ${DEFAULTS.batch})`,
      parseCount,
    )
    .option('--duration <time>', 'how long rows are changed (default: 10s)', parseDuration)
    .option(
      '--connect-rate <count>',
      `new connections per second (default: ${DEFAULTS.connectRate})`,
      parseRate,
    )
    .option(
      '--settle <time>',
      'how long clients may take to reach the final state (default: 60s)',
      parseDuration,
    )
    .option(
      '--faults <schedule>',
      'faults to inject, such as kill-listener@5s,stall-dashboards=2@8s',
      parseFaultSchedule,
    )
    .option('--url <url>', 'a running gateway (default: a temporary one, on a temporary database)')
    .option('--database-url <url>', "that gateway's database (default: as configured)")
    .option('--token-file <file>', "an admin's token for all clients (default: signed here)")
    .option('--max-p99 <time>', 'the highest acceptable p99 of the push latency', parseDuration)
    .option('--max-lost <count>', 'how many final states may be lost (default: 0)', parseCount)
    .option('--json', 'print the result as JSON')
    .option('--html <file>', 'write the result as a page with plots')
    .addHelpText('after', HELP)
    .exitOverride()
    .action(async (options: Options, command: Command) => {
      const plan = buildPlan(options);
      const target = await chooseTarget(options, plan, load);
      const result = await runOnTarget(target, plan).catch(rethrowAsUsage);
      process.stdout.write(
        options.json ? `${JSON.stringify(result, undefined, 2)}\n` : renderText(result),
      );
      if (options.html !== undefined) await writePage(options.html, result, command);
      process.exitCode = result.failures.length === 0 ? ExitCode.ok : ExitCode.finding;
    });
}

/** @throws UsageError */
function buildPlan(options: Options): Plan {
  const profile = options.profile === undefined ? {} : (PROFILES[options.profile]?.plan ?? {});
  const base = { ...DEFAULTS, ...profile };
  const agents = options.agents ?? base.agents;
  // Rows without an agent exist only on request.
  const vms = options.vms ?? (options.agents === undefined ? base.vms : Math.max(agents, 1));
  const plan: Plan = {
    ...{ agents, vms },
    dashboards: options.dashboards ?? base.dashboards,
    rate: options.rate ?? base.rate,
    batch: options.batch ?? Math.min(base.batch, vms),
    durationMs: options.duration ?? base.durationMs,
    settleMs: options.settle ?? base.settleMs,
    connectRate: options.connectRate ?? base.connectRate,
    faults: options.faults ?? base.faults,
    thresholds: { maxP99Ms: options.maxP99, maxLost: options.maxLost ?? 0 },
  };
  if (vms < agents) throw new UsageError('Each agent needs its own VM: --vms is too small.');
  if (plan.batch < 1 || plan.batch > vms) throw new UsageError('--batch must be from 1 to --vms.');
  return plan;
}

/** @throws UsageError */
async function chooseTarget(options: Options, plan: Plan, load: () => Config): Promise<Target> {
  if (options.url !== undefined) {
    const needsOwn = plan.faults.find(({ fault }) => LOCAL_TARGET_FAULTS.includes(fault.kind));
    if (needsOwn === undefined) return findRemoteTarget({ ...options, url: options.url }, load());
    throw new UsageError(`${needsOwn.fault.kind} needs a temporary gateway: omit --url.`);
  }
  if (options.databaseUrl === undefined && options.tokenFile === undefined) {
    return startLocalTarget();
  }
  throw new UsageError('--database-url and --token-file need --url.');
}

/**
 * Runs the test. The first signal ends it early, the second at once; the target is always stopped.
 */
async function runOnTarget(target: Target, plan: Plan): Promise<LoadTestResult> {
  const early = new AbortController();
  const interrupt = (): void => {
    if (early.signal.aborted) endProcesses();
    early.abort();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const progress = new Progress(process.stderr);
  try {
    const onSample = progress.show.bind(progress);
    return await withClient(target.database, (client) =>
      runLoadTest({
        ...{ plan, target, client, onSample },
        signal: early.signal,
        clientEnvironment: readTrust(),
      }),
    );
  } finally {
    progress.end();
    await target.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** The authorities that this process trusts besides Node's: a file that Node reads at its start. */
function readTrust(): Readonly<Record<string, string>> {
  const { NODE_EXTRA_CA_CERTS: file } = createToolEnvironment();
  return file === undefined ? {} : { NODE_EXTRA_CA_CERTS: file };
}

function rethrowAsUsage(error: unknown): never {
  throw error instanceof UnsuitableTargetError ? new UsageError(error.message) : error;
}

/** @throws UsageError */
async function writePage(file: string, result: LoadTestResult, command: Command): Promise<void> {
  const title = `Load test of ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  await writeFile(file, renderHtml(result, title, describeRun(command))).catch((cause: unknown) => {
    throw new UsageError(`${file} cannot be written.`, { cause });
  });
  printInfo(`The report is in ${resolve(file)}.`);
}

/** Describes the program, the machine and the command line, without the URL of the database. */
function describeRun(command: Command): ReportContext {
  const processors = cpus();
  const model = processors.at(0)?.model.trim() ?? 'unknown';
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  const words = process.argv.slice(2).map((word, index, all) => {
    if (word.startsWith('--database-url=')) return '--database-url=(not shown)';
    return all[index - 1] === '--database-url' ? '(not shown)' : word;
  });
  return {
    Version: `lablink-gateway ${command.parent?.version() ?? ''}, Node.js ${process.versions.node}`,
    Machine: `${processors.length} × ${model}, ${gib} GiB, ${type()} ${release()}`,
    Command: `lablink-gateway ${words.join(' ')}`,
  };
}

function parseCount(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number.');
}

function parseRate(text: string): number {
  const rate = Number(text);
  if (/^\d{1,7}(\.\d{1,3})?$/.test(text) && rate > 0) return rate;
  throw new InvalidArgumentError('Expected a number above 0.');
}

function parseDuration(text: string): number {
  const ms = parseDurationMs(text, LOAD_DURATION);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError('Expected 50ms, 30s or 2m.');
}

function parseFaultSchedule(text: string): Plan['faults'] {
  try {
    return parseFaults(text);
  } catch (error) {
    throw error instanceof RangeError ? new InvalidArgumentError(error.message) : error;
  }
}
