// Every request of an agent ends with a value: done, a rejection, or an unavailable database.

import t from 'tap';
import { pino } from 'pino';
import type { Identity } from '../../../../src/gateway/auth/token.js';
import { createPool } from '../../../../src/gateway/database/pool.js';
import { createRequests } from '../../../../src/gateway/http/websocket/requests.js';
import { startServer } from '../../../helpers/database.js';

const { createDatabase } = await startServer(t);
const agent: Identity = { sub: 'vm-1', role: 'agent', expiresAtMs: 0 };
const UUID = '2b1f4b1c-0d3e-4c56-9a7b-000000000000';

const NOBODY = {
  pushedAgoMs: () => undefined,
  pushWritten: () => undefined,
  reported: () => undefined,
  acknowledged: () => undefined,
};

t.test('every outcome has its rejection', async (t) => {
  const database = await createDatabase();
  const requests = createRequests(
    () => database.pool,
    () => ({ ok: false, reason: 'invalid' }),
    NOBODY,
    pino({ level: 'silent' }),
  );
  const report = { type: 'status', status: 'available' } as const;
  t.match(await requests.reportStatus(agent, report, 's1'), {
    code: 'not_allowed',
    message: /no VM/,
  });
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use')`);
  t.match(await requests.reportStatus(agent, report, 's1'), {
    code: 'not_allowed',
    message: /only a failed VM/,
  });
  t.match(await requests.acknowledge(agent, UUID, 's1'), { code: 'stale_assignment' });
  t.match(await requests.reportStatus(agent, { ...report, assignment_id: UUID }, 's1'), {
    code: 'stale_assignment',
  });
  t.equal(
    await requests.reportStatus(agent, { type: 'status', status: 'failed' }, 's1'),
    undefined,
  );
  t.equal(await requests.reportStatus(agent, report, 's1'), undefined);
  t.same(requests.verify('x'), { ok: false, reason: 'invalid' });
});

t.test('a push is written with the first acknowledgement only', async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status, email) VALUES ('vm-1', 'in-use', 'a@b.c')`,
  );
  const [row] = await database.query<{ id: string }>('SELECT assignment_id AS id FROM vms');
  const said: string[] = [];
  const requests = createRequests(
    () => database.pool,
    () => ({ ok: false, reason: 'invalid' }),
    {
      pushedAgoMs: () => 1_000,
      pushWritten: (hostname) => said.push(`pushed ${hostname}`),
      reported: (hostname) => said.push(`reported ${hostname}`),
      acknowledged: () => said.push('acknowledged'),
    },
    pino({ level: 'silent' }),
  );
  for (let times = 0; times < 2; times++) {
    t.equal(await requests.acknowledge(agent, row?.id ?? '', 's1'), undefined);
  }
  t.same(said, ['acknowledged', 'pushed vm-1', 'reported vm-1', 'reported vm-1']);
  const sql = `SELECT FROM vm_deliveries WHERE acknowledged_at - pushed_at = interval '1 second'`;
  t.equal((await database.query(sql)).length, 1);
});

t.test('an unreachable database is reported to the agent and logged', async (t) => {
  const logged: unknown[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => logged.push(JSON.parse(line)) });
  const { pool, end } = createPool({ host: '/nowhere', user: 'x' }, 10, () => undefined);
  t.teardown(end);
  const requests = createRequests(
    () => pool,
    () => ({ ok: false, reason: 'invalid' }),
    NOBODY,
    log,
  );
  t.match(await requests.acknowledge(agent, UUID, 's1'), { code: 'unavailable' });
  t.match(await requests.reportStatus(agent, { type: 'status', status: 'failed' }, 's1'), {
    code: 'unavailable',
  });
  t.equal(logged.length, 1, 'the repetition is counted, and logged later as a number');
  t.match(logged, [
    { msg: 'a request of an agent failed', session: 's1', err: { code: 'ENOENT' } },
  ]);
});
