// Closing a watch, by `close` or the signal: it works in every phase, at once, and leaves nothing
// behind.

import { getEventListeners } from 'node:events';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import {
  createClient,
  RejectedError,
  type OpenSocket,
  type ClientSocket,
  type VmWatch,
} from '../../src/client/index.js';
import { run } from '../helpers/process.js';
import { FakeGateway } from './fake-gateway.js';
import { ManualRuntime } from './manual-runtime.js';
import { Queue } from './queue.js';
import { phase, status } from './rows.js';

const CLOSED = {
  phase: 'closed',
  rejected: false,
  reason: 'closed by the program',
  code: undefined,
} as const;

interface Scene {
  readonly gateway: FakeGateway;
  readonly clock: ManualRuntime;
  readonly watch: VmWatch;
  /** Lets a waiting token source return its token. */
  readonly giveToken: () => void;
}

async function live({ gateway, watch }: Scene): Promise<void> {
  (await gateway.welcomed()).send(status('vm-1'));
  await phase(watch, 'live');
}

/** Phases in which to close; each function reaches one. */
const PHASES: Record<string, (scene: Scene) => Promise<unknown>> = {
  'while it waits for a token': () => new Promise(setImmediate),
  'while the upgrade is under way': async ({ gateway, giveToken }) => {
    gateway.refusal = 'hang';
    giveToken();
    await gateway.upgrades.next();
  },
  'before the welcome': async ({ gateway, giveToken }) => {
    giveToken();
    await gateway.peers.next();
  },
  'while it is live': async (scene) => {
    scene.giveToken();
    await live(scene);
  },
  'while the reason is requested over HTTP': async ({ gateway, giveToken }) => {
    giveToken();
    gateway.refusal = { status: 503 };
    await gateway.upgrades.next();
    gateway.refusal = 'hang';
    await gateway.requests.next();
  },
  'while it waits to reconnect': async ({ gateway, watch, giveToken }) => {
    giveToken();
    (await gateway.peers.next()).ws.terminate();
    await phase(watch, 'reconnecting');
  },
};

async function scene(t: Test, signal?: AbortSignal): Promise<Scene> {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  let giveToken = (): void => undefined;
  const given = new Promise<string>((resolve) => (giveToken = () => resolve('t')));
  const options = { url: gateway.url, token: () => given };
  const client = createClient(
    signal === undefined ? options : { ...options, signal },
    clock.runtime,
  );
  return { gateway, clock, watch: client.watchVm('vm-1'), giveToken };
}

for (const [name, reach] of Object.entries(PHASES)) {
  t.test(name, async (t) => {
    for (const by of ['close', 'signal']) {
      const program = new AbortController();
      const here = await scene(t, program.signal);
      await reach(here);
      const { watch, clock } = here;
      const iteration = watch[Symbol.asyncIterator]();
      const next = watch.state === undefined ? iteration.next() : undefined;
      if (by === 'close') watch.close();
      else program.abort();
      t.same(watch.connection, CLOSED, `${by}: at once`);
      await new Promise(setImmediate);
      t.same(clock.delaysMs, [], `${by}: no timer is left`);
      here.giveToken();
      t.same(await watch.closed, CLOSED);
      t.same(await (next ?? iteration.next()), { value: undefined, done: true });
      await new Promise(setImmediate);
      t.same(clock.delaysMs, [], `${by}: and none begins`);
      watch.close();
    }
  });
}

t.test('a watch that is closed at its creation does not connect', async (t) => {
  const gateway = await FakeGateway.start(t);
  let asked = 0;
  const options = { url: gateway.url, token: async () => `t${++asked}` };
  const closed = createClient(options).watchVm('vm-1');
  closed.close();
  const aborted = createClient({ ...options, signal: AbortSignal.abort() }).watchVm('vm-1');
  const phases: string[] = [];
  aborted.on('connection', (state) => phases.push(state.phase));
  for (const watch of [closed, aborted]) t.same(await watch.closed, CLOSED);
  t.same(phases, ['closed'], 'a listener receives the close');
  await new Promise(setImmediate);
  t.equal(asked, 0);
  t.equal(gateway.upgrades.length, 0);
});

t.test('a socket that opens after the close is closed', async (t) => {
  const made = new Queue<(socket: ClientSocket) => void>();
  const closed = new Queue<number>();
  const openSocket: OpenSocket = () => new Promise((resolve) => made.push(resolve));
  const client = createClient({ url: 'http://127.0.0.1:1', token: 't' }, { openSocket });
  const watch = client.watchVm('vm-1');
  const make = await made.next();
  watch.close();
  make({ send: () => undefined, close: (code) => closed.push(code), abandon: () => undefined });
  t.equal(await closed.next(), 1000);
});

t.test('a signal for many watches has one listener, and none at the end', async (t) => {
  const gateway = await FakeGateway.start(t);
  const { signal } = new AbortController();
  const client = createClient({ url: gateway.url, token: 't', signal });
  const [first, ...others] = Array.from({ length: 30 }, () => client.watchVm('vm-1'));
  for (const watch of others) watch.close();
  await new Promise(setImmediate);
  t.equal(getEventListeners(signal, 'abort').length, 1);
  first?.close();
  await new Promise(setImmediate);
  t.equal(getEventListeners(signal, 'abort').length, 0);
});

t.test('an iteration throws if the gateway rejects the watch for good', async (t) => {
  const here = await scene(t);
  here.giveToken();
  const peer = await here.gateway.welcomed();
  peer.send(status('vm-1'));
  const iterate = async (): Promise<void> => {
    for await (const state of here.watch) {
      t.equal(state.type, 'status');
      peer.ws.close(4409, 'replaced');
    }
  };
  await t.rejects(iterate(), new RejectedError('replaced', 4409));
  await t.rejects(iterate(), new RejectedError('replaced', 4409), 'a later iteration throws too');
});

t.test('a program ends once its watches are closed', async (t) => {
  const gateway = await FakeGateway.start(t);
  const client = pathToFileURL('dist/client/index.js').href;
  const program = `
    import { createClient } from ${JSON.stringify(client)};
    const [url] = process.argv.slice(1);
    const live = createClient({ url, token: 't' }).watchVm('vm-1');
    for await (const state of live) break;
    const waiting = createClient({ url: 'http://127.0.0.1:1', token: 't' }).watchFleet();
    waiting.on('connection', ({ phase }) => { if (phase === 'reconnecting') waiting.close(); });
    await waiting.closed;
    console.log('closed');
  `;
  const child = run(t, process.execPath, [
    '--input-type=module',
    `--eval=${program}`,
    '--',
    gateway.url,
  ]);
  (await gateway.welcomed()).send(status('vm-1'));
  t.same(await child.exited, { code: 0, signal: null }, child.stderr);
  t.equal(child.stdout, 'closed\n');
});
