// A proxy as a program on loopback, and a client's way through it.

import { readFile } from 'node:fs/promises';
import { get as getTls } from 'node:https';
import { get as getPlain, type IncomingHttpHeaders } from 'node:http';
import { connect as connectTcp } from 'node:net';
import type { ClientOptions } from 'ws';
import type { Program } from '../helpers/process.js';
import { connect, type RawClient } from '../helpers/raw-client.js';
import { until } from '../helpers/until.js';

export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export class Proxy {
  #program: Program | undefined;

  private constructor(
    private readonly run: () => Program,
    readonly url: string,
    /** The CA of its certificate. */
    readonly caFile: string,
    private readonly ca: string,
  ) {}

  /** Starts the program, and waits until it listens. */
  static async start(run: () => Program, url: string, caFile: string): Promise<Proxy> {
    const proxy = new Proxy(run, url, caFile, await readFile(caFile, 'utf8'));
    await proxy.launch();
    return proxy;
  }

  /** The options with which a client checks its certificate. */
  get tls(): { readonly ca: string } {
    return { ca: this.ca };
  }

  /** Ends the program in the middle of whatever it does. */
  async kill(): Promise<void> {
    const pid = this.#program?.child.pid;
    // Some have a parent and workers, all in one group.
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    await this.#program?.exited;
  }

  /** Starts the program, after `kill` on the same port; resolves when it listens. */
  async launch(): Promise<void> {
    const program = this.run();
    this.#program = program;
    let ended = false;
    void program.exited.then(() => (ended = true));
    await until('the proxy listens', () => {
      if (ended) throw new Error(program.stdout + program.stderr);
      return accepts(Number(new URL(this.url).port));
    });
  }

  /** A socket through it, whose certificate is checked. */
  connect(path: string, options: ClientOptions): Promise<RawClient> {
    return connect(this.url.replace('http', 'ws') + path, [], { ...options, ca: this.ca });
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const get = this.url.startsWith('https') ? getTls : getPlain;
    return new Promise((resolve, reject) => {
      get(this.url + path, { ca: this.ca, headers, agent: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => {
          resolve({ status: answer.statusCode, headers: answer.headers, text });
        });
      }).on('error', reject);
    });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
