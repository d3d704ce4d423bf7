// Calls from a load test to the processes it starts, over Node's IPC channel. A process whose caller is gone ends.

import { fork, type ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a process answers to: functions of at most one argument, which must survive JSON. */
export type Handlers = Record<string, (argument: never) => unknown>;

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Answers the calls of the parent process, and ends when that is gone. */
export function serve(handlers: Handlers, end: () => void = () => process.exit()): void {
  process.on('message', (message) => {
    if (isCall(message)) void answer(handlers, message);
  });
  process.on('disconnect', end);
  // Whoever was quick to go was gone before anyone listened.
  if (!process.connected) end();
}

async function answer(handlers: Handlers, { id, name, argument }: Call): Promise<void> {
  try {
    const handler = handlers[name];
    if (handler === undefined) throw new Error(`there is no ${name}`);
    // The caller is typed by these same handlers.
    const result: unknown = await handler(argument as never);
    process.send?.({ id, result } satisfies Answer);
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? error.stack : String(error) });
  }
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  readonly timeout: NodeJS.Timeout;
}

/** Longer than any call takes that will ever be answered, and that is not told to take long: a load test ends. */
const CALL_TIMEOUT_MS = 90_000;

/** How much of what a process prints is looked at. */
const MAX_TEXT = 64 * 1024;

const children = new Set<ChildProcess>();
let ended = false;

/** Ends every process, and keeps others from being started. Calls that are under way reject. */
export function endProcesses(): void {
  ended = true;
  for (const child of children) if (child.connected) child.disconnect();
}

/** A process that was started here, and the calls it answers. */
export class Remote<H extends Handlers> {
  readonly #pending = new Map<number, Pending>();
  readonly exited: Promise<void>;
  #calls = 0;
  #gone = false;

  private constructor(
    private readonly name: string,
    readonly child: ChildProcess,
  ) {
    children.add(child);
    child.on('message', (message) => {
      if (isAnswer(message)) this.#settle(message);
    });
    this.exited = new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        children.delete(child);
        this.#lose(code ?? signal);
        resolve();
      });
    });
  }

  /**
   * Starts a module as a process of its own, with no environment but the given one, and in a group of its own: a
   * terminal's Ctrl-C is for the load test to handle. Its stdout is a pipe, its stderr ours.
   */
  static start<H extends Handlers>(module: URL, options: StartOptions = {}): Remote<H> {
    if (ended) throw new Error('no process is started any more');
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

  /** A call that is meant to take so long, and then some. */
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

  /** What the pattern's first group matches in what the process prints; rejects when it ends without. */
  async printed(pattern: RegExp): Promise<string> {
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

  #settle({ id, result, error }: Answer): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timeout);
    if (error !== undefined) pending?.reject(new Error(`${this.name}: ${error}`));
    else pending?.resolve(result as never);
  }

  #lose(how: number | string | null): void {
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

function isAnswer(message: unknown): message is Answer {
  return isObject(message) && typeof message.id === 'number';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
