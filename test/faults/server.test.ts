// A server that is restarted, crashes, is killed or stands still while the table is written: the
// gateway comes back without being started again, with one LISTEN session, and has lost nothing
// that was committed.

import t from 'tap';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { gatewaySessions, untilOneListens } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';
import { watch } from './checker.js';
import { crash, freeze, kill } from './server-faults.js';
import { HOSTNAMES, Writers } from './writers.js';

/** Ten for queries and one that listens. */
const MOST_SESSIONS = 11;

t.test('while the table is written', async (t) => {
  const server = await startServer(t);
  const database = await server.createDatabase();
  const gateway = await startGateway(t, database, { timing: { beatDeadlineMs: 1_000 } });
  const checker = await watch(t, gateway, HOSTNAMES);
  const writers = new Writers(t, () => database.config);
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    'a restart': async () => {
      await server.stop();
      await gateway.notReady();
      await server.start();
    },
    'a crash of a backend, and its recovery': () => crash(database),
    'a kill, and a start after it': async () => {
      await kill(database);
      await gateway.notReady();
      await server.start();
    },
    'a standstill, longer than a heartbeat may take': async () => {
      const goOn = await freeze(database);
      await gateway.notReady().finally(goOn);
    },
  };
  for (const [name, befall] of Object.entries(faults)) {
    await t.test(name, async (t) => {
      await writers.write(200);
      await checker.settled(database);
      await writers.during(async () => {
        await befall();
        await until('the database is back', () => database.query('SELECT').catch(() => undefined));
        await gateway.ready();
      });
      await checker.settled(database);
      t.same(await checker.violations(database), []);
      await untilOneListens(database);
      await until(
        'no session is left behind',
        async () => (await gatewaySessions(database)) <= MOST_SESSIONS,
      );
      t.equal(checker.sockets, HOSTNAMES.length + 2, 'nobody lost a socket');
    });
  }
});
