// The client in a browser, on a real gateway: its bundle, the platform's WebSocket, and the reasons
// that a browser hides from a page.

import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import t, { type Test } from 'tap';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';

const CHROMIUM = '/usr/bin/chromium';
const skip = !existsSync(CHROMIUM) && `no ${CHROMIUM}`;

/** Serves a page of another origin than the gateway's, with the client as `lablink`. */
async function servePage(t: Test): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ['src/client/index.ts'],
    bundle: true,
    format: 'iife',
    globalName: 'lablink',
    platform: 'browser',
    write: false,
  });
  const script = outputFiles[0]?.text ?? '';
  const server = createServer((request, response) => {
    const isScript = request.url === '/client.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><script src="/client.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('in Chromium', { skip }, async (t) => {
  const { createDatabase } = await startServer(t);
  const database = await createDatabase();
  const site = await servePage(t);
  const gateway = await startGateway(t, database, { allowedOrigins: [site] });
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 3) n`,
  );
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  await page.goto(site);

  /** Runs code in the page, and ignores its result. */
  const inPage = (code: string) => page.evaluate(`${code}; 0`);
  /** Creates a client in the page, as `client`, with these tokens, one after the other. */
  const open = (url: string, ...tokens: string[]) =>
    inPage(`
      tokens = ${JSON.stringify(tokens)};
      asked = 0;
      end = new AbortController();
      client = lablink.createClient(
        { url: ${JSON.stringify(url)}, signal: end.signal,
          token: async () => { asked++; return tokens.length > 1 ? tokens.shift() : tokens[0]; } },
        { random: () => 0.01 },
      );
    `);
  const reaches = (condition: string) =>
    page.waitForFunction(condition, undefined, { polling: 20 });

  await t.test('the fleet as state, events and iteration, without commands', async (t) => {
    await open(gateway.url, await gateway.token('dashboard'));
    await inPage(`
      fleet = client.watchFleet();
      updates = 0;
      fleet.on('update', () => updates++);
      iterated = [];
      (async () => { for await (const update of fleet) iterated.push(...update.keys()); })();
    `);
    await reaches(`fleet.connection.phase === 'live' && fleet.state.size === 3`);
    await database.query(
      `UPDATE vms SET status = 'in-use', email = 'a@b.c', crd_command = 'x' WHERE hostname = 'vm-2'`,
    );
    await reaches(`fleet.state.get('vm-2').status === 'in-use' && iterated.includes('vm-2')`);
    t.equal(await page.evaluate(`'crd_command' in fleet.state.get('vm-2')`), false);
    await database.query(`DELETE FROM vms WHERE hostname = 'vm-3'`);
    await reaches(`!fleet.state.has('vm-3') && updates > 2`);
    t.equal(await page.evaluate(`fleet.close(), fleet.connection.phase`), 'closed');
  });

  await t.test('an agent acknowledges and reports on its VM', async (t) => {
    await open(gateway.url, await gateway.token('agent', 'vm-2'));
    await inPage(`vm = client.watchVm('vm-2')`);
    await reaches(`vm.state?.type === 'assignment' && vm.state.vm.crd_command === 'x'`);
    t.equal(await page.evaluate(`vm.reportStatus('failed', vm.state.vm.assignment_id)`), true);
    await reaches(`vm.state?.type === 'status' && vm.state.vm.status === 'failed'`);
    await inPage(`end.abort()`);
    await reaches(`vm.connection.phase === 'closed' && vm.connection.rejected === false`);
  });

  await t.test(
    'the reason of a rejected upgrade, which a browser hides, is requested over HTTP',
    async (t) => {
      await open(gateway.url, await gateway.token('agent', 'vm-1'));
      await inPage(`fleet = client.watchFleet()`);
      await reaches(`fleet.connection.phase === 'closed'`);
      t.match(await page.evaluate(`fleet.connection`), {
        rejected: true,
        code: 403,
        reason: /not_allowed/,
      });
    },
  );

  await t.test('a rejected token is replaced through the callback', async (t) => {
    await open(gateway.url, 'no-token', await gateway.token('dashboard'));
    await inPage(`fleet = client.watchFleet(); phases = [];
      fleet.on('connection', ({ phase, code }) => phases.push([phase, code]));`);
    await reaches(`fleet.connection.phase === 'live'`);
    t.match(await page.evaluate(`phases.find(([phase]) => phase === 'reconnecting')`), [
      'reconnecting',
      401,
    ]);
    t.equal(await page.evaluate(`asked`), 2);
    await inPage(`fleet.close()`);
  });

  await t.test(
    'a gateway that stops closes with 1012, and the state stays available',
    async (t) => {
      const other = await startGateway(t, database, { allowedOrigins: [site] });
      await open(other.url, await other.token('dashboard'));
      await inPage(`fleet = client.watchFleet(); codes = [];
      fleet.on('connection', ({ code }) => codes.push(code));`);
      await reaches(`fleet.connection.phase === 'live'`);
      await other.app.close();
      await reaches(`codes.includes(1012)`);
      t.equal(await page.evaluate(`fleet.state.size`), 2);
      await inPage(`end.abort()`);
    },
  );

  t.same(errors, [], 'the page threw nothing');
});
