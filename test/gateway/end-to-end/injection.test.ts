// Text that looks like SQL or like a path is data in every place. The gateway stores and finds it
// as it was sent, and the table stays intact.

import t from 'tap';
import { createApi } from '../../helpers/api.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
const gateway = await startGateway(t, database);
const api = await createApi(gateway, 'admin', `boss'; DROP TABLE vms; --`);

const ATTEMPTS = [
  `'; DROP TABLE vms; --`,
  `x'); DELETE FROM vms WHERE ('1'='1`,
  `' OR '1'='1`,
  `" OR 1=1 --`,
  `\\'; TRUNCATE vms; --`,
  `$1`,
  `$$; DROP TABLE vms; $$`,
  `%`,
  `_`,
  `'||(SELECT crd_command FROM vms LIMIT 1)||'`,
  `1; SELECT pg_sleep(60)`,
  `{"a":1}`,
  `../../etc/passwd`,
  `<script>alert(1)</script>`,
  `\r\nX-Injected: 1`,
  `E'\\x27'`,
];

interface Row {
  readonly hostname: string;
  readonly assignment_id: string;
}

await database.query(
  `INSERT INTO vms (hostname, status, email, crd_command) VALUES ('witness', 'in-use', 'ada@x.y', 'secret')`,
);
const witness = () => database.query(`SELECT * FROM vms WHERE hostname = 'witness'`);
const before = await witness();
t.afterEach(async () => t.same(await witness(), before, 'nobody else is touched'));

for (const attempt of ATTEMPTS) {
  t.test(JSON.stringify(attempt), async (t) => {
    const segment = encodeURIComponent(attempt);
    const registered = await api('PUT', `/v1/vms/${segment}`);
    if (/[\r\n]/.test(attempt)) {
      t.match(registered, { status: 400, json: { code: 'invalid_hostname' } });
      await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [
        attempt,
      ]);
    } else {
      t.match(registered, { status: 201, json: { hostname: attempt } });
    }
    const given = await api('POST', '/v1/assignments', { email: attempt, crd_command: attempt });
    t.match(given, { status: 201, json: { email: attempt, crd_command: attempt } });
    t.same(given.headers.get('x-injected'), null);
    const row = given.json as Row;
    const asStored = await database.query<{ row: unknown }>(
      'SELECT row_to_json(v) AS row FROM vms v WHERE assignment_id = $1',
      [row.assignment_id],
    );
    t.same(asStored, [{ row }], 'stored as it was sent');

    const found = async (path: string) => {
      const { status, json } = await api('GET', path);
      t.equal(status, 200, path);
      return (json as { vms: Row[] }).vms.map(({ hostname }) => hostname);
    };
    t.same(await found(`/v1/vms?email=${segment}`), [row.hostname]);
    t.same(await found(`/v1/vms?email=${segment}&status=in-use&sort=-updated_at`), [row.hostname]);
    if (attempt.length <= 50) t.same(await found(`/v1/vms?status=${segment}`), []);
    const events = await api('GET', `/v1/events?email=${segment}`);
    t.match(events.json, { events: [{ actor: `admin:boss'; DROP TABLE vms; --` }], next: null });

    for (const [method, path, body] of [
      ['GET', `/v1/vms?after=${segment}`],
      ['GET', `/v1/vms?after=1@${segment}&sort=updated_at`],
      ['GET', `/v1/vms?sort=${segment}`],
      ['GET', `/v1/vms?limit=${segment}`],
      ['GET', `/v1/vms?cursor=${segment}`],
      ['GET', `/v1/events?after=${segment}`],
      ['GET', `/v1/vms/witness?wait=0&version=${segment}`],
      ['DELETE', `/v1/vms?confirm=${segment}`],
      ['DELETE', `/v1/assignments/${segment}`],
      ['PATCH', '/v1/vms/witness', { status: attempt }],
    ] as const) {
      t.equal((await api(method, path, body)).status, 400, `${method} ${path}`);
    }
    if (!/[\r\n]/.test(attempt)) {
      const guarded = await api('DELETE', '/v1/vms/witness', undefined, { 'if-match': attempt });
      t.equal(guarded.status, 400);
    }
    t.equal((await api('DELETE', `/v1/vms/${segment}?x=${segment}`)).status, 204);
    t.match(await api('GET', `/v1/vms/${segment}`), { status: 404 });
  });
}
