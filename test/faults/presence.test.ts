// Presence when gateways are killed and stand still: right when their leases end, and nothing they
// had on the way does harm. Three gateways as processes, with the lease they have in the field: one
// is killed, one stands still for longer than its lease, and at the third everything is watched.

import t from 'tap';
import { startDatabase } from '../helpers/database.js';
import { PresenceModel } from '../helpers/presence.js';
import { until } from '../helpers/until.js';
import { startGatewayProcess, type GatewayProcess } from './gateway-process.js';

const LEASE_SECONDS = 15;

const database = await startDatabase(t);
await database.query(
  `INSERT INTO vms (hostname, status) SELECT name, 'available'
   FROM unnest(ARRAY['killed-stays', 'killed-moves', 'still-stays', 'still-moves', 'always']) AS name`,
);
const start = () => startGatewayProcess(t, database.config);
const [killed, still, other] = await Promise.all([start(), start(), start()]);

const connectAgent = (gateway: GatewayProcess, hostname: string) =>
  gateway.connect(`/v1/vms/${hostname}`, 'agent', hostname);

/** By the database's clock. */
const value = async (sql: string, ...values: unknown[]): Promise<string> =>
  (await database.query<{ value: string }>(`SELECT (${sql})::text AS value`, values))[0]?.value ??
  '';

t.test('a gateway is killed, another stands still, and agents move', async (t) => {
  const dashboard = await PresenceModel.watch(other);
  await connectAgent(killed, 'killed-stays');
  await connectAgent(killed, 'killed-moves');
  await connectAgent(still, 'still-stays');
  const left = await connectAgent(still, 'still-moves');
  await connectAgent(other, 'always');
  for (const hostname of ['killed-stays', 'killed-moves', 'still-stays', 'still-moves', 'always'])
    await dashboard.until(hostname, ({ online }) => online);
  const findGateway = (hostname: string) =>
    value(
      `SELECT gateway FROM vm_presence JOIN gateways ON instance = gateway
       WHERE hostname = $1 AND lease_until > now()`,
      hostname,
    );
  const [ofKilled, ofStill] = [await findGateway('killed-stays'), await findGateway('still-stays')];
  await connectAgent(other, 'still-moves');
  await dashboard.until('still-moves', ({ duplicate }) => duplicate);

  const at = await value('clock_timestamp()');
  still.signal('SIGSTOP');
  left.ws.terminate();
  await killed.kill();
  await connectAgent(other, 'killed-moves');

  for (const [hostname, gateway] of [
    ['killed-stays', ofKilled],
    ['still-stays', ofStill],
  ] as const) {
    const away = await dashboard.until(hostname, ({ online }) => !online);
    const [ended] = await database.query<{ same: boolean; within: boolean }>(
      `SELECT lease_until = $2::timestamptz AS same,
         lease_until <= $3::timestamptz + $4 * interval '1 second' AS within
       FROM gateways WHERE instance = $1`,
      [gateway, away.since, at, LEASE_SECONDS],
    );
    t.same(ended, { same: true, within: true }, `${hostname} is away since the lease ended`);
  }
  for (const hostname of ['killed-moves', 'still-moves'])
    await dashboard.until(hostname, ({ duplicate }) => !duplicate);
  const ups = dashboard.told('killed-moves').map(({ online }) => online);
  t.notOk(ups.includes(false), 'who came back at once was never shown as away');

  still.signal('SIGCONT');
  await dashboard.until('still-stays', ({ online }) => online);
  t.not(await findGateway('still-stays'), ofStill, 'under a new name');
  const late = await database.query(
    `SELECT hostname FROM vm_presence WHERE gateway = $1 AND NOT online`,
    [ofStill],
  );
  t.same(late, [], 'what it had to say under the old one was not written');
  await until('the table says so too', async () => {
    const all = await database.query<{ entry: string }>('SELECT entry FROM read_vm_presence(NULL)');
    const known = all.map(
      ({ entry }) => JSON.parse(entry) as { hostname: string; online: boolean },
    );
    return known.every(({ hostname, online }) => online === (hostname !== 'killed-stays'));
  });
  for (const hostname of ['killed-moves', 'still-moves', 'always'])
    t.match(dashboard.presence.get(hostname), { online: true, duplicate: false });
  t.match(dashboard.presence.get('killed-stays'), { online: false });
});
