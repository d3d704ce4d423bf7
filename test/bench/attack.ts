// What an attack costs the others: strangers and one dashboard's token attack at a bounded pace,
// while an admin changes a VM, its agent receives the change, and another dashboard lists. Prints
// each attack's p99 beside the quiet phases next to it, the longest delay of the gateway's event
// loop, and who took the CPU. `npm run bench:attack -- [--cpu-prof FOLDER] [NAME …]`.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createApi, type Api } from '../helpers/api.js';
import { startDatabase } from '../helpers/database.js';
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js';
import type { RawClient } from '../helpers/raw-client.js';
import { findServerPid, readTreeCpuMs } from './process-cpu.js';

const ROUNDS = Number(process.env.ATTACK_ROUNDS ?? 3);
const PHASE_MS = Number(process.env.ATTACK_SECONDS ?? 5) * 1_000;
const BETWEEN_CHANGES_MS = 10;
const VMS = 1_000;
const WANTED_RATIO = 1.2;
const UNREAD_CONNECTIONS = 20;

const UPGRADE =
  'GET /v1/vms HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const FILES = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(40);
const DOCUMENT = 'GET /docs/json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(16);
const BODY =
  'POST /v1/assignments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
  `Content-Length: 54000\r\n\r\n${'{"x":1}'.padEnd(54_000)}`;

/** Connections a second, and what each sends; it leaves after a moment. */
const STRANGERS: Readonly<Record<string, readonly [perSecond: number, bytes: string]>> = {
  'pipelined files': [10, FILES],
  'pipelined documents': [10, DOCUMENT],
  'storm of handshakes': [200, UPGRADE],
  '54 kB bodies without a token': [50, BODY],
};
const UNREAD_LISTS = 'unread lists';
const QUIET = 'quiet';

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
    stop = name === QUIET ? () => undefined : attack(name, new URL(url), token);
    process.send?.(process.cpuUsage());
  });
  process.on('disconnect', () => process.exit());
}

interface Others {
  readonly admin: Api;
  readonly dashboard: Api;
  readonly agent: RawClient;
}

/** The processes that share the cores; their CPU is in ms. */
const PROCESSES = ['attackers', 'gateway', 'postgres', 'others'] as const;
type CpuMs = Record<(typeof PROCESSES)[number], number>;

/** The results of the phases of one attack, or of the quiet phases beside it. */
interface Results {
  /** In ms: from the change until the agent has it. */
  readonly changes: number[];
  /** In ms: for a list. */
  readonly lists: number[];
  failures: number;
  /** Delays of the gateway's event loop in ms, one of each phase. */
  readonly loopMax: number[];
  readonly loopP99: number[];
  readonly cpuMs: CpuMs;
  elapsedMs: number;
}

function createResults(): Results {
  return {
    ...{ changes: [], lists: [], failures: 0, loopMax: [], loopP99: [], elapsedMs: 0 },
    cpuMs: { attackers: 0, gateway: 0, postgres: 0, others: 0 },
  };
}

let commands = 0;

async function measure({ admin, dashboard, agent }: Others, into: Results): Promise<void> {
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

/** Everything that a phase needs. */
interface Scene {
  readonly gateway: GatewayProcess;
  readonly others: Others;
  readonly attackers: ChildProcess;
  readonly serverPid: number;
  readonly token: string;
}

/** Starts the attack of this name, and returns the CPU of all processes until then. */
async function begin(
  { gateway, attackers, token, serverPid }: Scene,
  name: string,
): Promise<CpuMs> {
  const toMs = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1_000;
  const usage = once(attackers, 'message');
  attackers.send([name, gateway.url, token]);
  return {
    attackers: toMs(((await usage) as [NodeJS.CpuUsage])[0]),
    gateway: await readTreeCpuMs(gateway.pid),
    postgres: await readTreeCpuMs(serverPid),
    others: toMs(process.cpuUsage()),
  };
}

/**
 * Reads the delays of the gateway's event loop since the last call, in ms: the metrics begin again
 * with each read.
 */
async function readLoop({ url }: GatewayProcess): Promise<{ max: number; p99: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const read = (name: string): number =>
    1_000 * Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1]);
  return { max: read('max'), p99: read('p99') };
}

async function runPhase(scene: Scene, name: string, into: Results): Promise<void> {
  const before = await begin(scene, name);
  await readLoop(scene.gateway);
  const beganMs = performance.now();
  await measure(scene.others, into);
  const { max, p99 } = await readLoop(scene.gateway);
  into.loopMax.push(max);
  into.loopP99.push(p99);
  into.elapsedMs += performance.now() - beganMs;
  const after = await begin(scene, QUIET);
  for (const key of PROCESSES) into.cpuMs[key] += after[key] - before[key];
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
  const { values, positionals: wanted } = parseArgs({
    allowPositionals: true,
    options: { 'cpu-prof': { type: 'string' } },
  });
  const folder = values['cpu-prof'];
  const execArgv = folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const gateway = await startGatewayProcess(t, database, { execArgv });
  const scene: Scene = {
    gateway,
    others: {
      admin: await createApi(gateway),
      dashboard: await createApi(gateway, 'dashboard', 'other'),
      agent: await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1'),
    },
    attackers,
    serverPid: await findServerPid(database),
    token: await gateway.token('dashboard', 'attacker'),
  };
  const all = [...Object.keys(STRANGERS), UNREAD_LISTS];
  const names = wanted.length === 0 ? all : all.filter((name) => wanted.includes(name));
  const results = new Map(
    names.map((name) => [name, { quiet: createResults(), attacked: createResults() }]),
  );
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, { quiet, attacked }] of results) {
      // The first round compiles the code.
      await runPhase(scene, QUIET, round > 0 ? quiet : createResults());
      await runPhase(scene, name, round > 0 ? attacked : createResults());
    }
  }
  // A profile is written at the end of the process, which is killed otherwise.
  process.kill(gateway.pid, 'SIGTERM');
  await gateway.program.exited;
  console.log(
    '| attack | change p50 | p99 | × quiet | list p50 | p99 | × quiet | failures | loop p99 | loop max | ' +
      `${PROCESSES.map((name) => `${name} CPU`).join(' | ')} |`,
  );
  console.log(`| --- |${' ---: |'.repeat(9 + PROCESSES.length)}`);
  for (const [name, { quiet, attacked }] of results) {
    print(`${name}: quiet`, quiet, quiet);
    print(name, attacked, quiet);
  }
}

function print(name: string, results: Results, quiet: Results): void {
  const describe = (values: readonly number[], base: readonly number[]): string => {
    const ratio = percentile(values, 0.99) / percentile(base, 0.99);
    const mark = ratio <= WANTED_RATIO ? '' : ' (wanted 1.2)';
    return `${percentile(values, 0.5).toFixed(1)} ms | ${percentile(values, 0.99).toFixed(1)} ms | ${ratio.toFixed(2)}${mark}`;
  };
  const shares = PROCESSES.map(
    (key) => `${((100 * results.cpuMs[key]) / results.elapsedMs).toFixed(0)} %`,
  );
  const cells = [
    ...[name, describe(results.changes, quiet.changes), describe(results.lists, quiet.lists)],
    ...[results.failures, `${percentile(results.loopP99, 0.5).toFixed(1)} ms`],
    ...[`${Math.max(...results.loopMax).toFixed(1)} ms`, ...shares],
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

if (process.argv[2] === 'attackers') beAttackers();
else await bench();
