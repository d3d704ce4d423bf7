// What an agent asks for ends in a value: done, a refusal, or that the database is away.

import t from 'tap';
import { pino } from 'pino';
import type { Identity } from '../../src/auth/token.js';
import { createPool } from '../../src/database/pool.js';
import { createRequests } from '../../src/http/requests.js';
import { startServer } from '../helpers/database.js';

const { createDatabase } = await startServer(t);
const agent: Identity = { sub: 'vm-1', role: 'agent', expiresAtMs: 0 };
const UUID = '2b1f4b1c-0d3e-4c56-9a7b-000000000000';

const NOBODY = {
  pushedAgoMs: () => undefined,
  acknowledged: () => undefined,
  acknowledgedAfter: () => undefined,
};

t.test('every outcome has its refusal', async (t) => {
  const database = await createDatabase();
  const requests = createRequests(
    database.pool,
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

t.test('a database that does not answer is an answer, and is logged', async (t) => {
  const logged: unknown[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => logged.push(JSON.parse(line)) });
  const { pool, end } = createPool({ host: '/nowhere', user: 'x' }, 10, () => undefined);
  t.teardown(end);
  const requests = createRequests(pool, () => ({ ok: false, reason: 'invalid' }), NOBODY, log);
  t.match(await requests.acknowledge(agent, UUID, 's1'), { code: 'unavailable' });
  t.match(await requests.reportStatus(agent, { type: 'status', status: 'failed' }, 's1'), {
    code: 'unavailable',
  });
  t.match(
    logged,
    Array(2).fill({ msg: 'a request of an agent failed', session: 's1', err: { code: 'ENOENT' } }),
  );
});
