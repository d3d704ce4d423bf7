// What an attack costs the others: strangers and one dashboard's token attack at a bounded pace,
// while an admin changes a VM, its agent receives the change, and another dashboard lists. Prints
// each attack's p99 beside the quiet one of the same run. `npm run bench:attack`.

import { fork, type ChildProcess } from 'node:child_process';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApi, type Api } from '../helpers/api.js';
import { startDatabase } from '../helpers/database.js';
import { startGatewayProcess } from '../helpers/gateway-process.js';
import type { RawClient } from '../helpers/raw-client.js';

const ROUNDS = 3;
const PHASE_MS = Number(process.env.ATTACK_SECONDS ?? 5) * 1_000;
const BETWEEN_CHANGES_MS = 10;
const VMS = 1_000;
const WANTED_RATIO = 1.2;
const UNREAD_CONNECTIONS = 20;

const UPGRADE =
  'GET /v1/vms HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const FILES = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(40);
const BODY =
  'POST /v1/assignments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
  `Content-Length: 54000\r\n\r\n${'{"x":1}'.padEnd(54_000)}`;

/** Connections a second, and what each sends; it leaves after a moment. */
const STRANGERS: Readonly<Record<string, readonly [perSecond: number, bytes: string]>> = {
  'pipelined files': [10, FILES],
  'storm of handshakes': [200, UPGRADE],
  '54 kB bodies without a token': [50, BODY],
};
const UNREAD_LISTS = 'unread lists';

/** Attacks from a process of its own; returns a function that ends the attack. */
function attack(name: string, url: URL, token: string): () => void {
  const sockets = new Set<Socket>();
  const open = (bytes: string): Socket => {
    const socket = connectTcp(Number(url.port), url.hostname, () => socket.write(bytes));
    sockets.add(socket);
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const [perSecond, bytes] = STRANGERS[name] ?? [4, ''];
  const list = `GET /v1/vms?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const timer = setInterval(() => {
    if (name === UNREAD_LISTS) {
      while (sockets.size < UNREAD_CONNECTIONS) open(list.repeat(16)).pause();
      return;
    }
    const socket = open(bytes).resume();
    setTimeout(() => socket.destroy(), 100);
  }, 1_000 / perSecond);
  return () => {
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
  };
}

function beAttackers(): void {
  let stop = (): void => undefined;
  process.on('message', ([name, url, token]: [string, string, string]) => {
    stop();
    stop = name === '' ? () => undefined : attack(name, new URL(url), token);
  });
  process.on('disconnect', () => process.exit());
}

interface Others {
  readonly admin: Api;
  readonly dashboard: Api;
  readonly agent: RawClient;
}

/** In ms: from the change until the agent has it, and for a list. */
interface Latencies {
  readonly changes: number[];
  readonly lists: number[];
  failures: number;
}

let commands = 0;

async function measure({ admin, dashboard, agent }: Others, into: Latencies): Promise<void> {
  const endMs = performance.now() + PHASE_MS;
  while (performance.now() < endMs) {
    const command = `command ${++commands}`;
    let beganMs = performance.now();
    const arrived = agent.next(({ vm }) => JSON.stringify(vm ?? '').includes(command));
    const { status } = await admin('PATCH', '/v1/vms/vm-1', { crd_command: command });
    if (status === 200) {
      await arrived;
      into.changes.push(performance.now() - beganMs);
    } else {
      arrived.catch(() => undefined);
      into.failures++;
    }
    beganMs = performance.now();
    const listed = await dashboard('GET', '/v1/vms?limit=10');
    if (listed.status === 200) into.lists.push(performance.now() - beganMs);
    else into.failures++;
    await sleep(BETWEEN_CHANGES_MS);
  }
}

async function bench(): Promise<void> {
  const stops: (() => unknown)[] = [];
  const t = { teardown: (stop: () => unknown) => stops.push(stop) };
  const attackers = fork(new URL(import.meta.url), ['attackers'], { execArgv: process.execArgv });
  try {
    await run(t, attackers);
  } finally {
    attackers.disconnect();
    for (const stop of stops.toReversed()) await stop();
  }
}

async function run(
  t: { teardown: (stop: () => unknown) => unknown },
  attackers: ChildProcess,
): Promise<void> {
  const database = await startDatabase(t);
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command)
     SELECT 'vm-' || n, 'in-use', n || '@example.com', repeat('x', 500) FROM generate_series(1, $1::int) n`,
    [VMS],
  );
  const gateway = await startGatewayProcess(t, database);
  const others: Others = {
    admin: await createApi(gateway),
    dashboard: await createApi(gateway, 'dashboard', 'other'),
    agent: await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1'),
  };
  const token = await gateway.token('dashboard', 'attacker');
  const results = new Map<string, Latencies>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of ['', ...Object.keys(STRANGERS), UNREAD_LISTS]) {
      attackers.send([name, gateway.url, token]);
      const latencies = results.get(name) ?? { changes: [], lists: [], failures: 0 };
      // The first round compiles the code.
      if (round > 0) results.set(name, latencies);
      await measure(others, latencies);
    }
  }
  attackers.send(['', gateway.url, token]);
  print(results);
}

function print(results: ReadonlyMap<string, Latencies>): void {
  const quiet = results.get('');
  if (quiet === undefined) return;
  console.log('| attack | change p50 | p99 | × quiet | list p50 | p99 | × quiet | failures |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const [name, { changes, lists, failures }] of results) {
    const describe = (values: number[], base: number[]): string => {
      const ratio = percentile(values, 0.99) / percentile(base, 0.99);
      const mark = ratio <= WANTED_RATIO ? '' : ' (wanted 1.2)';
      return `${percentile(values, 0.5).toFixed(1)} ms | ${percentile(values, 0.99).toFixed(1)} ms | ${ratio.toFixed(2)}${mark}`;
    };
    const cells = [describe(changes, quiet.changes), describe(lists, quiet.lists)];
    console.log(`| ${name === '' ? 'quiet' : name} | ${cells.join(' | ')} | ${failures} |`);
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

if (process.argv[2] === 'attackers') beAttackers();
else await bench();
