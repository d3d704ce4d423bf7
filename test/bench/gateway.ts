// The gateway as a process of its own, on the database that PG* names. It prints its URL when it is ready.

import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { createApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { DASHBOARD_COLUMNS } from '../../src/protocol/row.js';
import { BENCH_SECRET } from './secret.js';

const { socketLimits, drainMs } = loadConfig({});
const app = createApp({
  database: {},
  listenDatabase: {},
  jwtSecrets: [BENCH_SECRET],
  jwtPublicKeys: [],
  allowedOrigins: [],
  trustProxy: false,
  requestsPerMinute: 1_000_000_000,
  dashboardColumns: DASHBOARD_COLUMNS,
  socketLimits,
  drainMs,
  log: pino({ level: 'warn' }, pino.destination(2)),
});
const url = await app.listen('127.0.0.1', 0);
app.startFeed();
while (!(await fetch(`${url}/health/ready`)).ok) await sleep(20);
process.stdout.write(`${url.replace('http', 'ws')}\n`);
