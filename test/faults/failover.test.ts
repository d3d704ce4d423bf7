// Another server takes over: the queries and LISTEN end up on different ones, or a standby is promoted that had not yet
// received the last commits. Everyone ends at the table of the one that is there now.

import t from 'tap';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { untilOneListens } from '../helpers/sessions.js';
import { watch } from './checker.js';
import { startProxy } from './proxy.js';
import { HOSTNAMES, Writers } from './writers.js';

t.test('a pool and a listener that end up on different servers', async (t) => {
  const [before, after] = await Promise.all([startServer(t), startServer(t)]);
  const [database, other] = [await before.createDatabase(), await after.createDatabase()];
  const [pooled, direct] = [
    await startProxy(t, database.config),
    await startProxy(t, database.config),
  ];
  const gateway = await startGateway(t, database, {
    database: pooled.through(database.config),
    listenDatabase: direct.through(database.config),
    timing: { beatDeadlineMs: 1_000 },
  });
  const checker = await watch(t, gateway, HOSTNAMES);
  await new Writers(t, () => database.config).write(100);
  await checker.settled(database);
  await checker.remember(database);

  direct.retarget(other.config);
  direct.cut();
  t.match(await gateway.notReady(), /LISTEN/);

  const writers = new Writers(t, () => other.config);
  await writers.write(100);
  // The old server still takes queries, and the pool's connections are never idle for long.
  pooled.retarget(other.config);
  await gateway.ready();
  await checker.settled(other);
  checker.forgive();
  await writers.write(100);
  await checker.settled(other);
  t.same(await checker.violations(other), []);
  await untilOneListens(other);
});
