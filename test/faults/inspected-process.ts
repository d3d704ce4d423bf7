// Looks into a gateway's process from outside: what its heap holds after a collection, which files
// are open, and how many bytes of responses its clients have not read.

import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { WebSocket } from 'ws';
import type { GatewayProcess } from '../helpers/gateway-process.js';

/** Makes Node listen for a debugger on a free port of loopback, and write the URL. */
export const INSPECTED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

/** The resources that a process holds. */
export interface Holdings {
  /** JavaScript's objects, right after a collection. */
  readonly heapBytes: number;
  readonly descriptors: number;
  /** How many of the descriptors are sockets. */
  readonly sockets: number;
  /** The paths of files, which a response that was cut must close. */
  readonly files: readonly string[];
}

/** Every handle is asked, also those that no list of ours has. */
const UNREAD_BYTES =
  'process._getActiveHandles().reduce((sum, { writableLength = 0 }) => sum + writableLength, 0)';

/** The debugger of a process that was started with `INSPECTED`. */
export class Inspector {
  #requests = 0;

  private constructor(
    private readonly ws: WebSocket,
    private readonly pid: number,
  ) {}

  /** Connects to the process. */
  static async open({ program, pid }: GatewayProcess): Promise<Inspector> {
    const url = await program.until(({ stderr }) => /listening on (ws:\S+)/.exec(stderr)?.[1]);
    const ws = new WebSocket(url, { perMessageDeflate: false });
    await once(ws, 'open');
    return new Inspector(ws, pid);
  }

  close(): void {
    this.ws.terminate();
  }

  /** Collects garbage, and returns what is left. */
  async readHoldings(): Promise<Holdings> {
    await this.#call('HeapProfiler.collectGarbage');
    const { usedSize } = await this.#call<{ usedSize: number }>('Runtime.getHeapUsage');
    const descriptors = await readDescriptors(this.pid);
    return {
      heapBytes: usedSize,
      descriptors: descriptors.length,
      sockets: descriptors.filter((target) => target.startsWith('socket:')).length,
      files: descriptors.filter((target) => target.startsWith('/') && !target.startsWith('/dev/')),
    };
  }

  /** The bytes that wait in the process for its clients to read. */
  async readUnreadBytes(): Promise<number> {
    const { result } = await this.#call<{ result: { value: number } }>('Runtime.evaluate', {
      expression: UNREAD_BYTES,
    });
    return result.value;
  }

  async #call<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#requests;
    this.ws.send(JSON.stringify({ id, method, params }));
    return new Promise<T>((resolve, reject) => {
      const onMessage = (data: Buffer): void => {
        const message = JSON.parse(data.toString()) as { id?: number; result?: T; error?: unknown };
        if (message.id !== id) return;
        this.ws.off('message', onMessage).off('close', onClose);
        if (message.result === undefined) reject(new Error(JSON.stringify(message.error)));
        else resolve(message.result);
      };
      const onClose = (): void => reject(new Error('the process ended'));
      this.ws.on('message', onMessage).once('close', onClose);
    });
  }
}

/** A file may be closed between the two steps. */
async function readDescriptors(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  return Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
}
