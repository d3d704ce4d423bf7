// The LISTEN session is ended again and again, by an operator or by housekeeping that ends idle
// sessions. No change is lost, no client loses a socket, and in the end one session listens.

import t from 'tap';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { untilOneListens } from '../helpers/sessions.js';
import { watch } from './checker.js';
import { terminateListeners } from './server-faults.js';
import { HOSTNAMES, Writers } from './writers.js';

const ROUNDS = 100;
const CHANGES_A_ROUND = 100;
/** No check and no routine read finds what was lost: only what is read after each return. */
const NEVER_MS = 3_600_000;

t.test('a hundred times during ten thousand changes', async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database, { timing: { checkIntervalMs: NEVER_MS } });
  const checker = await watch(t, gateway, HOSTNAMES);
  const writers = new Writers(t, () => database.config);
  let ended = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const pid = await untilOneListens(database);
    const written = writers.write(CHANGES_A_ROUND);
    ended += await terminateListeners(database);
    await written;
    await checker.settled(database);
    await untilOneListens(database, pid);
  }
  t.equal(ended, ROUNDS);
  t.same(await checker.violations(database), []);
  t.equal(checker.sockets, HOSTNAMES.length + 2, 'nobody lost a socket');
});
