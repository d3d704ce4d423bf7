// Clients of other languages, without any code of this project, on a gateway whose Pings come
// often. `npm run interop` takes the full times.

import t from 'tap';
import { startServer } from '../helpers/database.js';
import { holdClient } from './hold-client.js';
import { PROGRAMS } from './programs.js';

const server = await startServer(t);
/** Two intervals are far above the time that a busy machine stands still. */
const PING_INTERVAL_MS = 2_000;

t.jobs = PROGRAMS.length; // Most of the time each waits.
for (const { name, skip, prepare } of PROGRAMS) {
  t.test(name, { skip, buffered: true }, async (t) => {
    await holdClient(t, server, await prepare(t), {
      pingIntervalMs: PING_INTERVAL_MS,
      silenceMs: 3 * PING_INTERVAL_MS,
      vms: 2_000,
      bytesPerSecond: 100_000,
    });
  });
}
