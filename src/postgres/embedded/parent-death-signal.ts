// Stops the server when the process that started it ends, even by SIGKILL: an unsupervised server
// would keep the cluster's folder.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import type { Wrapper } from './programs.js';

const SETPRIV: Wrapper = { program: '/usr/bin/setpriv', args: ['--pdeathsig', 'INT', '--'] };

/**
 * Finds a wrapper that makes the kernel send the program SIGINT, the server's fast shutdown, when
 * its parent dies (prctl(2), PR_SET_PDEATHSIG). Undefined outside Linux, and with BusyBox.
 */
export async function findParentDeathWrapper(): Promise<Wrapper | undefined> {
  if (process.platform !== 'linux') return undefined;
  const { program, args } = SETPRIV;
  const trial = await promisify(execFile)(program, [...args, '/bin/sh', '-c', ':']).then(
    () => true,
    () => false,
  );
  return trial ? SETPRIV : undefined;
}

/**
 * Replaces the signal on systems without it: a shell waits for the end of a pipe that only this
 * process holds, and then sends SIGINT to the server. The shell ends with the server.
 */
export function startWatchdog(server: ChildProcess): void {
  const script = 'read -r line; kill -INT "$1"';
  const watchdog = spawn('/bin/sh', ['-c', script, 'sh', String(server.pid)], {
    cwd: '/',
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.once('error', () => undefined); // Without a shell the server outlives this process.
  server.once('exit', () => watchdog.kill('SIGKILL'));
}
