// Helpers for the tests of the embedded server: temporary folders, other processes that use the
// product, and waiting for a condition.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { listServerAccounts } from '../../../src/postgres/embedded/account.js';
import {
  type EmbeddedOptions,
  type EmbeddedServer,
  startEmbedded,
} from '../../../src/postgres/embedded/server.js';
import { copyCluster } from '../../helpers/cluster-cache.js';
import { scratchFolder } from '../../helpers/scratch-folder.js';
import type { Teardown } from '../../helpers/database.js';

export const isRoot = process.getuid?.() === 0;
/** For `t.test(name, { skip })`: only root can become other users. */
export const unlessRoot = isRoot ? false : 'only root can run processes of other users';
/** The account that servers started by this process run as. */
export const serverId = isRoot ? (await listServerAccounts('/none'))[0]?.uid : process.getuid?.();

/** These clusters need not survive a crash of the machine. */
export const QUICK = { fsync: 'off', full_page_writes: 'off' };

/** Creates a folder with a cluster in it; removed after the test. */
export async function dataFolder(t: Teardown, binDir?: string): Promise<string> {
  const path = await scratchFolder();
  t.teardown(() => rm(path, { recursive: true, force: true }));
  await copyCluster(path, binDir);
  if (!existsSync(join(path, 'postgres'))) {
    await (await startEmbedded({ dataDir: path, binDir, settings: QUICK })).stop();
  }
  return path;
}

/** Creates a folder; removed after the test. */
export async function folder(t: Teardown): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'lablink-embedded-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Starts a server in this process; stopped after the test. */
export async function start(t: Teardown, options: EmbeddedOptions): Promise<EmbeddedServer> {
  const server = await startEmbedded({ ...options, settings: { ...QUICK, ...options.settings } });
  t.teardown(() => server.stop());
  return server;
}

/** Runs one statement on a connection of its own. */
export async function query(
  config: pg.ClientConfig,
  sql: string,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The first line of `postmaster.pid`: the server's process. */
export async function serverPid(dataDir: string): Promise<number> {
  const [pid] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
  return Number(pid);
}

/** Waits until the condition holds, for as long as the test may take. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await sleep(10);
}

/** Runs a command without tap's environment, which makes programs write to folders of this user. */
export const bare = (command: string[]): [string, string[]] => [
  '/usr/bin/env',
  ['-i', `TMPDIR=${tmpdir()}`, ...command],
];

/** A test program in its own process, which prints one JSON text per line. */
export interface Program {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  /** Reads the next line. Rejects with its stderr if the program has ended. */
  next(): Promise<unknown>;
  /** Ends the program by closing its stdin, and waits for the end. */
  end(): Promise<void>;
}

/** Runs `programs/NAME.ts` with these arguments, under another user id if `uid` is given. */
export function program(t: Teardown, name: string, args: string[], uid?: number): Program {
  const file = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  const child = spawn(...bare([process.execPath, '--import', 'tsx', file, ...args]), {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let complaints = '';
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    exited,
    next: async () => {
      const line: IteratorResult<string, unknown> = await lines.next();
      if (line.done === true) throw new Error(`${name} ended: ${complaints}`);
      const said: unknown = JSON.parse(line.value);
      return said;
    },
    end: async () => {
      child.stdin.end();
      await exited;
    },
  };
}
