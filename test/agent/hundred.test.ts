// A hundred agents while the gateway is killed and restarted twice: all agents reconnect, all are
// seen online, and none runs a command twice. A few agents are processes; the others run in the
// test.

import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Agent } from '../../src/agent/agent.js';
import { createSendRequest, createGatewayApi } from '../../src/agent/gateway-api.js';
import { openStateFile } from '../../src/agent/state-file.js';
import { signToken } from '../../src/gateway/auth/token.js';
import { createClient } from '../../src/client/index.js';
import { startGatewayProcess } from '../faults/gateway-process.js';
import { startDatabase } from '../helpers/database.js';
import { runCommand } from '../helpers/process.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { agentFiles, listRepeated } from './setup.js';

const SECRET = 'a secret that only tests know, of enough bytes';
const HERE = 97;
const PROCESSES = 3;

t.test('a hundred agents through two restarts', async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGatewayProcess(t, database.config);
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const token = async (role: 'agent', sub = ''): Promise<string> =>
    signToken({ role, sub, ttlSeconds: 3_600 }, SECRET);
  const hostnames = Array.from({ length: HERE + PROCESSES }, (_, index) => `vm-${index}`);

  /** An agent as the subcommand creates it. Its command appends a line to a file. */
  const live = async (hostname: string): Promise<void> => {
    const ending = new AbortController();
    const file = await openStateFile(join(folder, `${hostname}.state`));
    const wait = (ms: number): Promise<void> =>
      sleep(ms / 10, undefined, { signal: ending.signal });
    const ask = createSendRequest(gateway.url, ending.signal);
    const api = createGatewayApi(
      ask,
      () => token('agent', hostname),
      () => undefined,
      wait,
    );
    const client = createClient(
      { url: gateway.url, token: () => token('agent', hostname) },
      // Short pauses before a reconnect.
      { random: () => 0.1 * Math.random() },
    );
    const agent = await Agent.create(
      {
        policy: { act: 'run', rerunInterrupted: false, failVmOnError: false },
        save: file.save,
        launch: async ({ assignment_id: id }) => ({
          start: async () => {
            await appendFile(join(folder, `${id}.runs`), 'run\n');
            return { code: 0, signal: null };
          },
        }),
        print: async () => undefined,
        acknowledge: (id) => watch.acknowledge(id),
        failVm: (id) => watch.reportStatus('failed', id),
        report: api.report,
        register: () => api.register(hostname),
        graceMs: 1_000,
        log: () => undefined,
      },
      file.journal,
    );
    const watch = client.watchVm(hostname);
    let latest = '';
    watch.on('frame', (frame) => (latest = frame));
    watch.on('update', (message) => agent.dispatch({ type: 'row', message, frame: latest }));
    watch.on('connection', ({ phase }) => {
      if (phase === 'reconnecting') agent.dispatch({ type: 'disconnected' });
    });
    const ended = agent.run();
    t.teardown(async () => {
      agent.dispatch({ type: 'stop' });
      await ended;
      watch.close();
      ending.abort();
      await file.release();
    });
  };

  await Promise.all(hostnames.slice(0, HERE).map(live));
  for (const hostname of hostnames.slice(HERE)) {
    const files = await agentFiles({ url: gateway.url, token }, folder, hostname);
    const trace = `echo run >> '${folder}'/"$LABLINK_ASSIGNMENT_ID.runs"`;
    const args = ['agent', ...files.args, '--exec', '/bin/sh', '-c', trace];
    const program = runCommand(t, args, {});
    t.teardown(() => program.child.kill('SIGTERM'));
  }
  await until('all are registered', async () => {
    const rows = await database.query('SELECT FROM vms');
    return rows.length === hostnames.length;
  });

  /** A killed gateway's lease also lists agents, until it expires. */
  const allAreOnline = (andOnceEach = false) =>
    until('all are online', async () => {
      const headers = { authorization: `Bearer ${await adminToken()}` };
      const response = await fetch(`${gateway.url}/v1/vms?limit=1000`, { headers });
      if (!response.ok) return false;
      const { presence } = (await response.json()) as {
        presence: { online: boolean; duplicate: boolean }[];
      };
      const there = presence.filter(({ online }) => online);
      const all = there.length === hostnames.length;
      return all && (!andOnceEach || there.every(({ duplicate }) => !duplicate));
    });
  const adminToken = async (): Promise<string> =>
    signToken({ role: 'admin', sub: 'tester', ttlSeconds: 600 }, SECRET);
  const assignAll = (round: number) =>
    database.query(`UPDATE vms SET status = 'in-use', email = 'a@b.c', crd_command = $1`, [
      `round ${round}`,
    ]);
  const allHaveEnded = (count: number) =>
    until(`${count} ends are reported`, async () => {
      const rows = await database.query(
        `SELECT FROM vm_deliveries WHERE outcome = 'succeeded' AND acknowledged_at IS NOT NULL`,
      );
      return rows.length === count;
    });

  await allAreOnline();
  await assignAll(0);
  await allHaveEnded(hostnames.length);
  for (const round of [1, 2]) {
    await gateway.kill();
    // The gateway is down now.
    await assignAll(round);
    await gateway.start();
    await allHaveEnded(hostnames.length * (round + 1));
    await allAreOnline();
  }
  await allAreOnline(true);
  t.same(await listRepeated(folder), []);
});
