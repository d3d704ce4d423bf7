// `npm run interop`: the same as clients.test.ts with the times of a real gateway: Pings every 25
// s, a minute of silence, and a snapshot of 10,000 VMs over a slow link.

import t from 'tap';
import { startServer } from '../helpers/database.js';
import { holdClient } from './hold-client.js';
import { PROGRAMS } from './programs.js';

const server = await startServer(t);

t.jobs = PROGRAMS.length;
for (const { name, skip, prepare } of PROGRAMS) {
  t.test(name, { skip, buffered: true }, async (t) => {
    await holdClient(t, server, await prepare(t), {
      pingIntervalMs: 25_000,
      silenceMs: 60_000,
      vms: 10_000,
      bytesPerSecond: 64_000,
    });
  });
}
