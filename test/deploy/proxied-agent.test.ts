// An agent behind each proxy, through a restart of the gateway and a restart of the proxy: each
// assignment is acknowledged, and its command runs once.

import { rm } from 'node:fs/promises';
import t from 'tap';
import { startGatewayProcess } from '../faults/gateway-process.js';
import { agentFiles, assign, countRuns, listRepeated, untilRegistered } from '../agent/setup.js';
import { startDatabase } from '../helpers/database.js';
import { runCommand } from '../helpers/process.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { PROXIES } from './proxy-table.js';

t.test('an agent behind each proxy', async (t) => {
  const present = PROXIES.filter(({ skip }) => skip === false);
  for (const { name, skip } of PROXIES) if (skip !== false) t.comment(`${name}: ${skip}`);
  const database = await startDatabase(t);
  const gateway = await startGatewayProcess(t, database.config, { TRUST_PROXY: '1' });
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const token: typeof gateway.token = (role, sub) => gateway.token(role, sub);

  const agents = await Promise.all(
    present.map(async ({ name, start }) => {
      const proxy = await start(t, [gateway.url]);
      const files = await agentFiles({ url: proxy.url, token }, folder, name);
      // The command appends a line to the file of its assignment.
      const trace = `echo run >> '${folder}'/"$LABLINK_ASSIGNMENT_ID.runs"`;
      const args = ['agent', ...files.args, '--exec', '/bin/sh', '-c', trace];
      runCommand(t, args, { NODE_EXTRA_CA_CERTS: proxy.caFile });
      await untilRegistered(database, name);
      return { name, proxy };
    }),
  );

  const isOver = async (id: string): Promise<boolean> => {
    const sql = `SELECT FROM vm_deliveries
      WHERE assignment_id = $1 AND acknowledged_at IS NOT NULL AND outcome = 'succeeded'`;
    return (await database.query(sql, [id])).length === 1;
  };
  /** Assigns every VM, and waits until every command has run and its end is reported. */
  const assignAll = async (round: string, meanwhile: () => Promise<unknown>): Promise<void> => {
    const ids = new Map<string, string>();
    for (const { name } of agents) ids.set(name, await assign(database, name, round));
    await meanwhile();
    for (const [name, id] of ids) {
      await until(`${name} has run ${round}`, () => isOver(id));
      t.equal(await countRuns(folder, id), 1, `${name}: ${round}`);
    }
  };

  await assignAll('at first', async () => undefined);
  await gateway.kill();
  await assignAll('while the gateway is down', () => gateway.start());
  await Promise.all(agents.map(({ proxy }) => proxy.kill()));
  await assignAll('while the proxy is down', () =>
    Promise.all(agents.map(({ proxy }) => proxy.launch())),
  );
  t.same(await listRepeated(folder), []);
});
