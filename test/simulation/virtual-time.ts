// Virtual time: the clock, the timers and the random numbers that the code of src sees during a
// history. Nothing waits: time jumps to the next timer. Between two timers everything that promises
// have made ready runs, so that the order of all events depends on the seed alone.

import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Random } from './random.js';

/** A process: its timers stop when it is stopped, and never run once it is killed. */
export class Process {
  isKilled = false;
  isStopped = false;
  /** The timers that were due while it was stopped. */
  readonly due: Timer[] = [];
}

/** A timer, as `setTimeout` returns it. */
export class Timer {
  cancelled = false;

  constructor(
    private readonly time: VirtualTime,
    public atMs: number,
    public order: number,
    private readonly delayMs: number,
    readonly process: Process | undefined,
    readonly run: () => void,
  ) {}

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  /** Starts the delay again. */
  refresh(): this {
    this.time.restart(this, this.delayMs);
    return this;
  }
}

export class VirtualTime {
  nowMs = 0;
  /** How many timers have run. */
  events = 0;
  /** The process whose code runs now. */
  #process: Process | undefined;
  #order = 0;
  /** A binary heap by time, then by order of scheduling. */
  readonly #heap: Timer[] = [];

  constructor(readonly random: Random) {}

  /** Calls `run` after so many ms of virtual time, in this process. */
  after(delayMs: number, run: () => void, process = this.#process): Timer {
    const timer = new Timer(this, this.nowMs + delayMs, this.#order++, delayMs, process, run);
    this.#push(timer);
    return timer;
  }

  /** Calls `run` after so many ms outside of all processes: in the network, or in the database. */
  outside(delayMs: number, run: () => void): Timer {
    const timer = new Timer(this, this.nowMs + delayMs, this.#order++, delayMs, undefined, run);
    this.#push(timer);
    return timer;
  }

  /** Runs code as a part of a process. */
  runIn<T>(process: Process | undefined, run: () => T): T {
    const before = this.#process;
    this.#process = process;
    try {
      return run();
    } finally {
      this.#process = before;
    }
  }

  /** What was due while the process was stopped runs now. */
  resume(process: Process): void {
    process.isStopped = false;
    for (const timer of process.due.splice(0)) {
      if (!timer.cancelled) this.after(0, () => timer.run(), process);
    }
  }

  every(intervalMs: number, run: () => void): Timer {
    const timer: Timer = this.after(intervalMs, () => {
      // Before the callback, which may cancel the timer.
      this.#schedule(timer, intervalMs);
      run();
    });
    return timer;
  }

  restart(timer: Timer, delayMs: number): void {
    const at = this.#heap.indexOf(timer);
    if (at >= 0) {
      this.#heap.splice(at, 1);
      // A sorted list is a heap.
      this.#heap.sort(compare);
    }
    this.#schedule(timer, delayMs);
  }

  #schedule(timer: Timer, delayMs: number): void {
    timer.atMs = this.nowMs + delayMs;
    timer.order = this.#order++;
    this.#push(timer);
  }

  /** Runs everything until this time. */
  runUntil(untilMs: number): void {
    drain();
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (first.atMs > untilMs) break;
      this.#pop();
      if (first.cancelled || first.process?.isKilled === true) continue;
      this.nowMs = Math.max(this.nowMs, first.atMs);
      if (first.process?.isStopped === true) {
        first.process.due.push(first);
        continue;
      }
      this.events++;
      this.#process = first.process;
      first.run();
      drain();
      this.#process = undefined;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent];
      if (other === undefined || compare(other, timer) <= 0) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let smallest = heap[child];
      const right = heap[child + 1];
      if (smallest === undefined) break;
      if (right !== undefined && compare(right, smallest) < 0) {
        smallest = right;
        child++;
      }
      if (compare(last, smallest) <= 0) break;
      heap[at] = smallest;
      at = child;
    }
    heap[at] = last;
  }
}

function compare(a: Timer, b: Timer): number {
  return a.atMs - b.atMs || a.order - b.order;
}

/**
 * Runs all callbacks of `process.nextTick` and of promises that are ready. Node keeps this function
 * for programs that run callbacks themselves; it works only outside of such a callback.
 */
const drain = (process as unknown as { _tickCallback: () => void })._tickCallback;

type Callback = (...values: unknown[]) => void;

let current: VirtualTime | undefined;

function time(): VirtualTime {
  if (current === undefined) throw new Error('no history runs');
  return current;
}

const cancel = (timer: Timer | undefined): void => {
  if (timer !== undefined) timer.cancelled = true;
};

/** Like `setTimeout` of `node:timers/promises`. */
function sleep(ms = 1, value?: unknown, { signal }: { signal?: AbortSignal } = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new Error('The operation was aborted'));
      return;
    }
    const abort = (): void => {
      cancel(timer);
      reject(new Error('The operation was aborted'));
    };
    const timer = time().after(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve(value);
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}

const FAKES: Readonly<Record<string, unknown>> = {
  setTimeout: (run: Callback, ms = 1, ...values: unknown[]) =>
    time().after(Math.max(1, ms), () => run(...values)),
  setInterval: (run: Callback, ms = 1) => time().every(Math.max(1, ms), run),
  setImmediate: (run: Callback) => time().after(0, run),
  clearTimeout: cancel,
  clearInterval: cancel,
  clearImmediate: cancel,
};

function randomBytes(length: number): Buffer {
  const { random } = time();
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

const require = createRequire(import.meta.url);

/** Replaces properties, and returns the function that puts them back. */
function replace(target: object, properties: Readonly<Record<string, unknown>>): () => void {
  const before = Object.keys(properties).map(
    (name) => [name, Object.getOwnPropertyDescriptor(target, name)] as const,
  );
  for (const [name, value] of Object.entries(properties))
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, descriptor);
    }
  };
}

/**
 * Runs `work`, which must be synchronous, with virtual time, seeded random numbers and these
 * classes in place of the platform's.
 * @param modules properties of CommonJS modules to replace, by the module's name
 */
export function runInVirtualTime<T>(
  modules: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  work: () => T,
): T {
  const all = {
    'node:timers/promises': { setTimeout: sleep },
    'node:crypto': { randomBytes },
    ...modules,
  };
  const undo = [
    replace(globalThis, FAKES),
    replace(performance, { now: () => time().nowMs }),
    replace(Date, { now: () => EPOCH_MS + time().nowMs }),
    replace(Math, { random: () => time().random.next() }),
    ...Object.entries(all).map(([name, properties]) =>
      replace(require(name) as object, properties),
    ),
  ];
  syncBuiltinESMExports();
  try {
    return work();
  } finally {
    for (const restore of undo) restore();
    syncBuiltinESMExports();
  }
}

/** The wall clock at the beginning of each history. */
const EPOCH_MS = 1_800_000_000_000;

/** Makes this the time of everything that runs from now on. */
export function enter(next: VirtualTime): void {
  current = next;
}

/** A UUID of version 4 from a history's random source. */
export function randomUuid({ random }: VirtualTime): string {
  const hex = Array.from({ length: 32 }, () => random.below(16).toString(16));
  hex[12] = '4';
  hex[16] = '8';
  const text = hex.join('');
  return [
    text.slice(0, 8),
    text.slice(8, 12),
    text.slice(12, 16),
    text.slice(16, 20),
    text.slice(20),
  ].join('-');
}
