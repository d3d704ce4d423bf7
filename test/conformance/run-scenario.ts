// Runs one scenario against a client, which it starts by its command line: see README.md.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { foldLines } from '../../src/cli/fold-lines.js';
import { FakeGateway, problem, type Peer } from '../client/fake-gateway.js';
import type { Teardown } from '../helpers/database.js';
import { run, temporaryFolder, type Program } from '../helpers/process.js';
import type { Scenario, ScriptedToken, Step } from './scenario.js';

/** The program of a client and the arguments that come first. */
export type ClientCommand = readonly [program: string, ...args: string[]];

/** Far beyond the longest pause of a client, which is 15 s for these scenarios. */
const PATIENCE_MS = 60_000;

/** Runs a scenario; rejects at the first step that the client does not follow. */
export async function runScenario(
  t: Teardown,
  command: ClientCommand,
  { hostname, steps }: Scenario,
): Promise<void> {
  const tokenFile = join(await temporaryFolder(t), 'token');
  const script = new Script(t, command, hostname, tokenFile, await FakeGateway.start(t));
  await script.take({ token: 't1' });
  for (const [index, step] of steps.entries()) {
    try {
      await script.take(step);
    } catch (cause) {
      const { message } = cause as Error;
      const said = `${script.program?.stdout ?? ''}\n${script.program?.stderr ?? ''}`;
      throw new Error(`step ${index + 1}, ${JSON.stringify(step)}: ${message}\n${said}`, { cause });
    }
  }
}

class Script {
  program: Program | undefined;
  #peer: Peer | undefined;
  /** How much of the output earlier steps have read. */
  #printed = 0;

  constructor(
    private readonly t: Teardown,
    private readonly command: ClientCommand,
    private readonly hostname: string | undefined,
    private readonly tokenFile: string,
    private readonly gateway: FakeGateway,
  ) {}

  async take(step: Step): Promise<void> {
    if ('accept' in step) await this.#accept(step);
    else if ('token' in step) await writeFile(this.tokenFile, formatToken(step.token));
    else if ('refuse' in step) this.#refuse(step.refuse);
    else if ('refused' in step) await this.#expectRefused(step.refused);
    else if ('signal' in step) this.#start().child.kill(step.signal);
    else if ('exit' in step) await this.#expectExit(step.exit);
    else await this.#exchange(step, this.#requirePeer());
  }

  async #exchange(step: Step, peer: Peer): Promise<void> {
    if ('send' in step) await this.#send(peer, JSON.stringify(step.send));
    else if ('sendText' in step) await this.#send(peer, step.sendText);
    else if ('sendBinary' in step) peer.ws.send(Buffer.from(step.sendBinary));
    else if ('close' in step) peer.ws.close(step.close);
    else if ('drop' in step) peer.ws.terminate();
    else if ('receive' in step) await this.#expectMessage(peer, step.receive);
    else if ('closedWith' in step)
      assert.equal(await within(peer.closed, 'a close'), step.closedWith);
  }

  /** Waits for a message; a `ping` may come before it at any time. */
  async #expectMessage(peer: Peer, expected: object): Promise<void> {
    const ping = { type: 'ping' };
    let message = await within(peer.received.next(), 'a message');
    while (isDeepStrictEqual(message, ping) && !isDeepStrictEqual(expected, ping))
      message = await within(peer.received.next(), 'a message');
    assert.deepEqual(message, expected);
  }

  #requirePeer(): Peer {
    if (this.#peer === undefined) throw new Error('no socket is open');
    return this.#peer;
  }

  /** Starts the client at the first step that needs it. */
  #start(): Program {
    const [program, ...first] = this.command;
    const args = [...first, '--url', this.gateway.url, '--token-file', this.tokenFile];
    if (this.hostname !== undefined) args.push(this.hostname);
    return (this.program ??= run(this.t, program, args));
  }

  async #accept({ accept, token, welcome }: Extract<Step, { accept: string }>): Promise<void> {
    this.#start();
    const peer = await within(this.gateway.peers.next(), 'a socket');
    this.#peer = peer;
    assert.equal(peer.target, accept, 'the path');
    const offered = (peer.offered ?? '').split(',').map((name) => name.trim());
    assert.ok(offered.includes('lablink.v1'), 'the subprotocol is offered');
    const given = offered.find((name) => name.startsWith('bearer.'))?.slice('bearer.'.length);
    const sent = given ?? peer.authorization?.replace(/^Bearer /, '');
    assert.ok(sent !== undefined, 'a token is sent');
    if (token !== undefined) assert.equal(sent, token, 'the token');
    if (welcome === false) return;
    peer.welcome(welcome);
    await this.#expectLine('"welcome"');
  }

  async #send(peer: Peer, text: string): Promise<void> {
    peer.ws.send(text);
    assert.equal(await this.#expectLine(foldLines(text)), foldLines(text), 'the printed line');
  }

  /** Waits for the next line of the output, which must contain this text. */
  async #expectLine(containing: string): Promise<string> {
    const program = this.#start();
    const line = await within(
      program.until(({ stdout }) => {
        const end = stdout.indexOf('\n', this.#printed);
        return end === -1 ? undefined : stdout.slice(this.#printed, end);
      }),
      `the line ${containing}`,
    );
    this.#printed += line.length + 1;
    assert.ok(line.includes(containing), `${line} instead of ${containing}`);
    return line;
  }

  #refuse({ status, code }: { readonly status: number; readonly code?: string }): void {
    this.gateway.refusal = code === undefined ? { status } : problem(status, code);
  }

  async #expectRefused(path: string): Promise<void> {
    this.#start();
    const { target } = await within(this.gateway.requests.next(), 'a question over HTTP');
    assert.equal(target, path, 'the path');
    this.gateway.refusal = undefined;
  }

  async #expectExit(code: number): Promise<void> {
    const exited = await within(this.#start().exited, 'the end of the client');
    assert.equal(exited.code, code, 'the exit code');
  }
}

function formatToken(token: ScriptedToken): string {
  if (typeof token === 'string') return token;
  const exp = Math.floor(Date.now() / 1000) + token.expiresInSeconds;
  return `x.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.x`;
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
