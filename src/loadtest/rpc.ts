// Remote procedure calls from a load test to the processes that it starts, over Node's IPC channel.
// A process ends when its caller is gone.

import { fork, type ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The functions that a process serves. Each has at most one argument, which must survive JSON. */
export type Handlers = Record<string, (argument: never) => unknown>;

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

interface CallResult {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Serves the calls of the parent process, and ends when the parent is gone. */
export function serve(handlers: Handlers, end: () => void = () => process.exit()): void {
  process.on('message', (message) => {
    if (isCall(message)) void handleCall(handlers, message);
  });
  process.on('disconnect', end);
  // The parent may be gone already, before this process listened.
  if (!process.connected) end();
}

async function handleCall(handlers: Handlers, { id, name, argument }: Call): Promise<void> {
  try {
    const handler = handlers[name];
    if (handler === undefined) throw new Error(`unknown call: ${name}`);
    // The caller is typed by these same handlers.
    const result: unknown = await handler(argument as never);
    process.send?.({ id, result } satisfies CallResult);
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? error.stack : String(error) });
  }
}

interface PendingCall {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  readonly timeout: NodeJS.Timeout;
}

/** The time limit of a call, beyond the duration that the caller expects: a load test must end. */
const CALL_TIMEOUT_MS = 90_000;

/** How many characters of a process's output are searched. */
const MAX_TEXT = 64 * 1024;

const children = new Set<ChildProcess>();
let ended = false;

/** Ends all processes, and prevents new ones. Pending calls reject. */
export function endProcesses(): void {
  ended = true;
  for (const child of children) if (child.connected) child.disconnect();
}

/** A process that the load test started, and its calls. */
export class Remote<H extends Handlers> {
  readonly #pending = new Map<number, PendingCall>();
  readonly exited: Promise<void>;
  #calls = 0;
  #gone = false;

  private constructor(
    private readonly name: string,
    readonly child: ChildProcess,
  ) {
    children.add(child);
    child.on('message', (message) => {
      if (isCallResult(message)) this.#settle(message);
    });
    this.exited = new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        children.delete(child);
        this.#handleExit(code ?? signal);
        resolve();
      });
    });
  }

  /**
   * Starts a module as a process with the given environment only. It has its own process group,
   * so that Ctrl-C reaches the load test alone. Its stdout is a pipe, its stderr is inherited.
   */
  static start<H extends Handlers>(module: URL, options: StartOptions = {}): Remote<H> {
    if (ended) throw new Error('the load test is ending, so no process is started');
    const path = fileURLToPath(module);
    const child = fork(path, [...(options.args ?? [])], {
      execArgv: [...(options.execArgv ?? [])],
      env: { ...options.env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      detached: true,
    });
    return new Remote<H>(basename(path), child);
  }

  call<K extends keyof H & string>(
    name: K,
    ...[argument]: Parameters<H[K]>
  ): Promise<Awaited<ReturnType<H[K]>>> {
    return this.callFor(0, name, ...([argument] as Parameters<H[K]>));
  }

  /** A call that may take `takesMs` longer than others. */
  callFor<K extends keyof H & string>(
    takesMs: number,
    name: K,
    ...[argument]: Parameters<H[K]>
  ): Promise<Awaited<ReturnType<H[K]>>> {
    return new Promise((resolve, reject) => {
      if (this.#gone) throw new Error(`${this.name} is gone`);
      const id = (this.#calls += 1);
      const timeout = setTimeout(() => {
        reject(new Error(`${this.name} did not answer ${name}`));
      }, takesMs + CALL_TIMEOUT_MS);
      this.#pending.set(id, { resolve, reject, timeout });
      this.child.send({ id, name, argument } satisfies Call, (error) => {
        if (error !== null) this.#settle({ id, error: error.message });
      });
    });
  }

  /**
   * Returns what the pattern's first group matches in the process's output. Rejects if the process
   * ends without it.
   */
  async waitForOutput(pattern: RegExp): Promise<string> {
    const { stdout } = this.child;
    stdout?.setEncoding('utf8');
    return new Promise((resolve, reject) => {
      let text = '';
      stdout?.on('data', (chunk: string) => {
        if (text.length < MAX_TEXT) text += chunk;
        const found = pattern.exec(text)?.[1];
        if (found !== undefined) resolve(found);
      });
      void this.exited.then(() => reject(new Error(`${this.name} ended before it was ready`)));
    });
  }

  /** Ends the process by closing its channel. */
  async stop(): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    await this.exited;
  }

  #settle({ id, result, error }: CallResult): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timeout);
    if (error !== undefined) pending?.reject(new Error(`${this.name}: ${error}`));
    else pending?.resolve(result as never);
  }

  #handleExit(how: number | string | null): void {
    this.#gone = true;
    for (const { reject, timeout } of this.#pending.values()) {
      clearTimeout(timeout);
      reject(new Error(`${this.name} ended with ${how}`));
    }
  }
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly execArgv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function isCall(message: unknown): message is Call {
  return isObject(message) && typeof message.name === 'string' && 'id' in message;
}

function isCallResult(message: unknown): message is CallResult {
  return isObject(message) && typeof message.id === 'number';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
