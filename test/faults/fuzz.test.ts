// Tens of thousands of random and mutated payloads, frames and handshakes: `test/faults/fuzz.ts`
// tries a million.

import t from 'tap';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { fuzz } from './fuzz-run.js';

const COUNT = 24_000;
const SEED = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31);

t.test('whatever comes, nothing breaks and nothing is left', async (t) => {
  t.comment(`seed ${SEED}: TEST_SEED=${SEED} repeats it`);
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database);
  const bystander = await gateway.connect('/v1/vms/vm-7', 'agent', 'vm-7');
  await bystander.nextMessage('absent');
  await bystander.close();
  const unhandled: unknown[] = [];
  const note = (reason: unknown): unknown => unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.teardown(() => process.off('unhandledRejection', note));
  const { grown, quarterBytes, endBytes } = await fuzz(gateway, COUNT, SEED);
  t.equal(grown, false, `${quarterBytes} bytes after a quarter, ${endBytes} in the end`);
  t.same(unhandled, []);

  const agent = await gateway.connect('/v1/vms/vm-7', 'agent', 'vm-7');
  await agent.nextMessage('absent');
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-7', 'available')`);
  t.match(await agent.nextMessage('status'), { vm: { hostname: 'vm-7' } }, 'it serves on');
});
