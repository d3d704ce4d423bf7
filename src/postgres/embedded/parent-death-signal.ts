// Ends the server when the process that started it is gone, however it went: even SIGKILL leaves no
// server behind that holds the folder and that nobody supervises.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import type { Wrapper } from './programs.js';

const SETPRIV: Wrapper = { program: '/usr/bin/setpriv', args: ['--pdeathsig', 'INT', '--'] };

/**
 * Has the kernel send the program SIGINT, the server's fast shutdown, when its parent dies (prctl(2),
 * PR_SET_PDEATHSIG). Undefined where that does not exist: outside Linux, and with BusyBox.
 */
export async function lifelineWrapper(): Promise<Wrapper | undefined> {
  if (process.platform !== 'linux') return undefined;
  const { program, args } = SETPRIV;
  const trial = await promisify(execFile)(program, [...args, '/bin/sh', '-c', ':']).then(
    () => true,
    () => false,
  );
  return trial ? SETPRIV : undefined;
}

/**
 * The same for systems without it: a shell that waits for the end of a pipe which only this process
 * holds, and then sends the signal. It ends with the server.
 */
export function watchFromOutside(server: ChildProcess): void {
  const script = 'read -r line; kill -INT "$1"';
  const watchdog = spawn('/bin/sh', ['-c', script, 'sh', String(server.pid)], {
    cwd: '/',
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.once('error', () => undefined); // Without a shell the server merely lives on.
  server.once('exit', () => watchdog.kill('SIGKILL'));
}
