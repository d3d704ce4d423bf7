// Starts a program that only SIGINT or SIGKILL ends, and a watchdog for it. Prints the program's
// pid and, once the program has ended, how many children this process still has.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWatchdog } from '../../../../src/postgres/embedded/parent-death-signal.js';

const server = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
startWatchdog(server);
console.log(JSON.stringify(server.pid));
await once(server, 'exit');
const children = async (): Promise<string[]> => {
  const path = `/proc/${process.pid}/task/${process.pid}/children`;
  return (await readFile(path, 'utf8')).trim().split(' ').filter(Boolean);
};
while ((await children()).length > 0) await sleep(10);
console.log(JSON.stringify('children: 0'));
