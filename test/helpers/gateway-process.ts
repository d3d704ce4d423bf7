// `serve` as a process of its own, on a database of a test's: with its own limit of open files, and
// to be sent signals.

import { readFile } from 'node:fs/promises';
import { signToken } from '../../src/gateway/auth/token.js';
import type { Role } from '../../src/gateway/auth/roles.js';
import type { Teardown, TestDatabase } from './database.js';
import { MAIN, run, type Program } from './process.js';
import { connect, type RawClient } from './raw-client.js';
import { until } from './until.js';

const SECRET = 'a secret that only tests know, of enough bytes';

export interface GatewayProcess {
  readonly program: Program;
  readonly pid: number;
  readonly url: string;
  token(role: Role, sub?: string): Promise<string>;
  connect(path: string, role: Role, sub?: string): Promise<RawClient>;
  /** The most memory it ever held. */
  peakBytes(): Promise<number>;
}

export interface GatewayProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** How many files it may open; by default as many as the test. */
  readonly openFiles?: number;
  /** Options of Node itself. */
  readonly execArgv?: readonly string[];
}

/** Starts it, without waiting for anything. */
export function spawnGateway(
  t: Teardown,
  { config }: TestDatabase,
  { env, openFiles, execArgv = [] }: GatewayProcessOptions = {},
): Program {
  const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles}; `;
  const host = encodeURIComponent(String(config.host));
  const command = [process.execPath, ...execArgv, MAIN, 'serve'];
  return run(t, 'sh', ['-c', `${limit}exec "$0" "$@"`, ...command], {
    env: {
      PORT: '0',
      JWT_SECRET: SECRET,
      DATABASE_URL: `postgresql://${config.user}@localhost/${config.database}?host=${host}&port=${config.port}`,
      ...env,
    },
  });
}

/** Starts it, and waits until it is ready. */
export async function startGatewayProcess(
  t: Teardown,
  database: TestDatabase,
  options?: GatewayProcessOptions,
): Promise<GatewayProcess> {
  const program = spawnGateway(t, database, options);
  const url = await program.until(listeningAt);
  await until('the gateway is ready', async () => (await fetch(`${url}/health/ready`)).ok);
  const { pid = 0 } = program.child;
  const token = async (role: Role, sub = 'tester'): Promise<string> =>
    signToken({ role, sub, ttlSeconds: 3_600 }, SECRET);
  return {
    program,
    pid,
    url,
    token,
    connect: async (path, role, sub) =>
      connect(url.replace('http', 'ws') + path, [], {
        headers: { authorization: `Bearer ${await token(role, sub)}` },
      }),
    peakBytes: async () => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
    },
  };
}

/** Where it serves, once it says so. */
export function listeningAt({ stderr }: Program): string | undefined {
  return /listening at (http:[^"]+)/.exec(stderr)?.[1];
}
