// The subcommand `watch`: prints the messages of a socket until a signal or a rejection. Changes go
// to stdout, the state of the connection to stderr.

import { Command } from 'commander';
import {
  createClient,
  type Client,
  type ConnectionState,
  type FleetWatch,
  type VmWatch,
  type WatchedVm,
} from '../client/index.js';
import { formatChangeLine, type WatchedChange } from './change-line.js';
import { formatConnectionState } from './connection-state.js';
import { ExitCode, UsageError } from './exit.js';
import {
  addGatewayOptions,
  resolveGateway,
  type FoundGateway,
  type GatewaySelection,
} from './find-gateway.js';
import { foldLines } from './fold-lines.js';
import { printInfo } from './print.js';

/** The HTTP status for a token that is not valid (RFC 9110 §15.5.2). */
const UNAUTHORIZED = 401;

/** @param first whether this is the state at the start of the watch. */
type Show = (change: WatchedChange, first: boolean) => void;

interface WatchOptions extends GatewaySelection {
  readonly json?: true;
}

/** @param findGateway finds the gateway if options are missing; called only when needed. */
export function createWatchCommand(findGateway: () => Promise<FoundGateway>): Command {
  const command = new Command('watch')
    .description('print the changes of one VM, or of all VMs, as they happen')
    .argument('[hostname]', 'the VM to watch (default: all)')
    .option('--json', 'print the messages of the gateway, one per line')
    .exitOverride();
  return addGatewayOptions(command).action(
    async (hostname: string | undefined, options: WatchOptions) => {
      if (hostname === '') throw new UsageError('A hostname has at least one character.');
      const gateway = await resolveGateway(options, findGateway);
      // A bad token file now is a usage error; later the watch waits until it is readable.
      await gateway.token();
      const end = new AbortController();
      const client = openClient(gateway, end.signal);
      const output = new Output(end);
      const show: Show = (change, first) => {
        const line = formatChangeLine(change, first, Date.now(), process.stdout.isTTY);
        if (line !== undefined && options.json === undefined) output.line(line);
      };
      // A program that reads stderr needs no header.
      if (process.stderr.isTTY)
        printInfo(`${hostname ?? 'all VMs'} of ${gateway.url}; Ctrl-C ends`);
      const watch =
        hostname === undefined ? watchFleet(client, show) : watchVm(client, hostname, show);
      if (options.json === true) watch.on('frame', (text) => output.line(foldLines(text)));
      watch.on('connection', (state) => {
        // A program, which reads JSON, waits for a renewed token; a person must sign another.
        const isRefused =
          options.json === undefined &&
          state.phase === 'reconnecting' &&
          state.code === UNAUTHORIZED;
        if (isRefused) {
          process.exitCode = ExitCode.finding;
          end.abort();
        }
        printConnection(state, isRefused);
      });
      const { rejected } = await watch.closed;
      output.check();
      if (rejected) process.exitCode = ExitCode.finding;
    },
  );
}

/** @throws UsageError if the URL is invalid. */
function openClient(gateway: FoundGateway, signal: AbortSignal): Client {
  try {
    return createClient({ url: gateway.url, token: () => gateway.token(), signal });
  } catch (cause) {
    throw new UsageError(`${gateway.url} is not the URL of a gateway.`, { cause });
  }
}

function watchFleet(client: Client, show: Show): FleetWatch {
  const watch = client.watchFleet();
  let first = true;
  watch.on('update', (update) => {
    if (first && update.size === 0 && process.stderr.isTTY)
      printInfo('There are no VMs yet: new ones are shown as they come.');
    for (const [hostname, { vm, before }] of update) {
      if (vm !== before) show({ hostname, vm, before }, first);
    }
    first = false;
  });
  return watch;
}

function watchVm(client: Client, hostname: string, show: Show): VmWatch {
  const watch = client.watchVm(hostname);
  let before: WatchedVm | undefined;
  let first = true;
  watch.on('update', (state) => {
    const vm = state.type === 'absent' ? undefined : state.vm;
    show({ hostname, before, vm }, first);
    before = vm;
    first = false;
  });
  return watch;
}

function printConnection(state: ConnectionState, isRefused: boolean): void {
  const text =
    isRefused && state.phase === 'reconnecting'
      ? `refused: ${state.reason}`
      : formatConnectionState(state);
  if (text !== undefined) process.stderr.write(`${text}\n`);
}

/** Writes to stdout until a signal, or until the reader closes it. */
class Output {
  #failure: Error | undefined;

  /** @param end aborted when the output must end. */
  constructor(end: AbortController) {
    const stop = (): void => end.abort();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    // The listener stays until the process ends, because buffered output may fail late.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') this.#failure ??= error;
      stop();
    });
  }

  line(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** @throws the error of stdout, unless the reader closed it (EPIPE). */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
