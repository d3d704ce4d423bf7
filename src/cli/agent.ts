// The subcommand `agent`: registers this machine as a VM, and acts on its assignments until a
// signal. Lines for programs go to stdout, messages for people to stderr.

import { randomBytes } from 'node:crypto';
import { hostname as machineName } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Agent, type AgentDependencies } from '../agent/agent.js';
import type { ExitReason, Policy } from '../agent/agent-state.js';
import { launchCommand } from '../agent/command-process.js';
import { programCommand, shellCommand, type BuildCommand } from '../agent/command-spec.js';
import { AgentError } from '../agent/errors.js';
import { forwardEvents } from '../agent/forward-events.js';
import { createSendRequest, createGatewayApi, type SendRequest } from '../agent/gateway-api.js';
import { CLOUDS, readInstanceId, type Cloud } from '../agent/instance-id.js';
import type { Journal } from '../agent/journal.js';
import { openStateFile, type StateFile } from '../agent/state-file.js';
import {
  createEnrolledTokens,
  createFileTokens,
  warnIfExposed,
  type AgentTokens,
} from '../agent/tokens.js';
import { createClient, type Client, type VmWatch } from '../client/index.js';
import { createCommandEnvironment } from '../config/load.js';
import { formatConnectionState } from './connection-state.js';
import { ExitCode, UsageError } from './exit.js';
import { foldLines } from './fold-lines.js';

interface AgentOptions {
  readonly url: string;
  readonly stateFile: string;
  readonly tokenFile: string;
  readonly enrolTokenFile?: string;
  readonly hostname?: string;
  readonly hostnameFrom?: Cloud;
  readonly exec?: true;
  readonly shell?: true;
  readonly grace: number;
  readonly env: readonly string[];
  readonly failVmOnError?: true;
  readonly rerunInterrupted?: true;
}

export function createAgentCommand(): Command {
  return new Command('agent')
    .description('act on the assignments of this VM: print them, or run a command for each')
    .usage('[options] [--shell | --exec PROGRAM ARGS...]')
    .argument('[program...]', 'with --exec')
    .requiredOption('--url <url>', 'the gateway')
    .requiredOption('--state-file <file>', 'where to remember which assignments were handled')
    .requiredOption(
      '--token-file <file>',
      "a file with the agent's token; read again for each connection",
    )
    .option(
      '--enrol-token-file <file>',
      'a file with a token to enrol with, as long as there is no agent token',
    )
    .option('--hostname <hostname>', "the VM (default: the machine's name)")
    .addOption(
      new Option('--hostname-from <cloud>', "the VM is the instance's id in this cloud")
        .choices(CLOUDS)
        .conflicts('hostname'),
    )
    .option(
      '--exec',
      'run PROGRAM for each assignment, without a shell: it is in LABLINK_… variables and on stdin',
    )
    .addOption(
      new Option('--shell', 'run the crd_command of each assignment with /bin/sh -c').conflicts(
        'exec',
      ),
    )
    .option(
      '--grace <seconds>',
      'the time between SIGTERM and SIGKILL when a command must end',
      parseSeconds,
      10,
    )
    .option(
      '--env <name>',
      'a variable that the command inherits besides PATH, HOME and the like; repeatable',
      (name: string, names: readonly string[]) => [...names, name],
      [],
    )
    .option('--fail-vm-on-error', 'set the VM failed if its command fails')
    .option('--rerun-interrupted', 'run an interrupted command again: it can be repeated safely')
    .passThroughOptions()
    .exitOverride()
    .action(async (program: string[], options: AgentOptions) => {
      const buildCommand = chooseCommand(options, program);
      const hostname = await resolveHostname(options);
      const file = await openStateFile(options.stateFile);
      try {
        const why = await runAgent(options, hostname, file, buildCommand);
        process.exitCode = why === 'stopped' ? ExitCode.ok : ExitCode.usage;
      } finally {
        await file.release();
      }
    });
}

/** Reads the option --grace. @throws InvalidArgumentError */
function parseSeconds(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected whole seconds.');
}

/** Chooses the command to run; undefined if assignments are printed. @throws UsageError */
function chooseCommand(
  { exec, shell, env }: AgentOptions,
  [program, ...args]: readonly string[],
): BuildCommand | undefined {
  if (exec === true && (program === undefined || program.startsWith('-'))) {
    throw new UsageError('--exec needs a program, which comes last, with its arguments.');
  }
  if (program !== undefined && exec === true) {
    return programCommand(program, args, createCommandEnvironment(env));
  }
  if (program !== undefined) throw new UsageError(`${program} is run only with --exec.`);
  return shell === true ? shellCommand(createCommandEnvironment(env)) : undefined;
}

/** Resolves the VM's hostname from the options or the machine. @throws UsageError */
async function resolveHostname({ hostname, hostnameFrom }: AgentOptions): Promise<string> {
  if (hostnameFrom !== undefined) return readInstanceId(hostnameFrom);
  const name = hostname ?? machineName();
  if (/^[^\0]{1,255}$/u.test(name)) return name;
  throw new UsageError('A hostname has 1 to 255 characters.');
}

function log(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs the agent until a signal or a rejection. */
async function runAgent(
  options: AgentOptions,
  hostname: string,
  file: StateFile,
  buildCommand: BuildCommand | undefined,
): Promise<ExitReason> {
  const ending = new AbortController();
  const { ask, client, tokens, journal } = await connectAgent(
    options,
    hostname,
    file,
    ending.signal,
  );
  const wait = (ms: number): Promise<void> => sleep(ms, undefined, { signal: ending.signal });
  const api = createGatewayApi(ask, tokens.current, log, wait);
  const parts: AgentDependencies = {
    ...createActions(buildCommand, file.path),
    policy: buildPolicy(options, buildCommand),
    save: file.save,
    acknowledge: (id) => watch.acknowledge(id),
    failVm: (id) => watch.reportStatus('failed', id),
    report: api.report,
    register: () => api.register(hostname),
    graceMs: options.grace * 1_000,
    log,
  };
  const agent = await Agent.create(parts, journal);
  const watch = client.watchVm(hostname);
  forwardAll(agent, watch);
  try {
    return await agent.run();
  } finally {
    watch.close();
    ending.abort();
  }
}

/** Creates the client and the source of its tokens. @throws UsageError */
async function connectAgent(
  { url, tokenFile, enrolTokenFile }: AgentOptions,
  hostname: string,
  file: StateFile,
  signal: AbortSignal,
): Promise<{ ask: SendRequest; client: Client; tokens: AgentTokens; journal: Journal }> {
  const { journal } = file;
  try {
    const ask = createSendRequest(url, signal);
    if (enrolTokenFile === undefined) {
      const tokens = createFileTokens(tokenFile);
      // A bad token file now is a usage error; later the agent waits until it is readable.
      await tokens.current();
      await warnIfExposed(tokenFile, log);
      return { ask, client: createClient({ url, token: tokens.fresh }), tokens, journal };
    }
    for (const path of [enrolTokenFile, tokenFile]) await warnIfExposed(path, log);
    const enrolled = ensureNonce(journal, hostname);
    // The nonce is saved before its use, so that a lost response can be requested again.
    await file.save(enrolled);
    const { nonce } = enrolled.enrolment;
    const tokens = createEnrolledTokens({
      sendRequest: ask,
      hostname,
      tokenFile,
      enrolTokenFile,
      nonce,
    });
    return { ask, client: createClient({ url, token: tokens.fresh }), tokens, journal: enrolled };
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new UsageError(`${url} is not the URL of a gateway.`, { cause });
  }
}

/** Keeps the nonce of an enrolment of this hostname, or creates one. */
function ensureNonce(journal: Journal, hostname: string) {
  const kept = journal.enrolment?.hostname === hostname ? journal.enrolment : undefined;
  const enrolment = kept ?? { hostname, nonce: randomBytes(32).toString('base64url') };
  return { ...journal, enrolment };
}

function buildPolicy(options: AgentOptions, buildCommand: BuildCommand | undefined): Policy {
  return {
    act: buildCommand === undefined ? 'print' : 'run',
    rerunInterrupted: options.rerunInterrupted === true,
    failVmOnError: options.failVmOnError === true,
  };
}

function createActions(
  buildCommand: BuildCommand | undefined,
  statePath: string,
): Pick<AgentDependencies, 'launch' | 'print'> {
  const print = (frame: string): Promise<void> => printLine(foldLines(frame));
  const printed = { code: 0, signal: null };
  return {
    print,
    launch: async (vm, frame) =>
      buildCommand === undefined
        ? { start: () => print(frame).then(() => printed) }
        : launchCommand(buildCommand(vm, foldLines(frame)), `${statePath}.command`),
  };
}

/** Resolves once the line is written; rejects if stdout is closed. */
function printLine(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${text}\n`, (cause) => {
      if (cause === null || cause === undefined) resolve();
      else reject(new AgentError('The reader of stdout is gone.', { cause }));
    });
  });
}

/** Forwards messages of the socket, and signals of the system, to the agent. */
function forwardAll(agent: Agent, watch: VmWatch): void {
  forwardEvents(agent, watch);
  watch.on('connection', (state) => {
    const text = formatConnectionState(state);
    if (text !== undefined) log(text);
  });
  // A failed write is reported by printLine().
  process.stdout.on('error', () => undefined);
  const stop = (): void => agent.dispatch({ type: 'stop' });
  process.once('SIGINT', stop).once('SIGTERM', stop);
}
