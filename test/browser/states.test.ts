// What the page shows without current VMs: nothing is claimed before it is known, an old state
// looks old, and a session that ends keeps what it showed.

import type { Page, WebSocketRoute } from 'playwright-core';
import t from 'tap';
import { signToken } from '../../src/gateway/auth/token.js';
import { NO_BROWSER, findRow, startBrowser, untilLive } from '../helpers/browser.js';
import { startServer } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { startGateway } from '../helpers/gateway.js';

/** The secret of the gateway under test. */
const SECRET = 'a secret that only tests know, of enough bytes';

/** Signs in with a pasted token, so that the page can be prepared before it connects. */
async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token', { exact: true }).fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Fails if the page claims anything about VMs. */
async function claimsNothing(page: Page): Promise<string> {
  const text = (await page.locator('.console').innerText()).replaceAll(
    /\d+ (s|min) (ago|left)/g,
    '',
  );
  const figures = await page.locator('.count-value, .plot-value').allInnerTexts();
  return figures.some((figure) => figure !== '–') ? figures.join() : text;
}

const CLAIMS = /\d VMs?\b|No VMs yet|no activity|is lost|last known|HTTP \d/i;

t.test('states', { skip: NO_BROWSER }, async (t) => {
  const { createDatabase, stop, start } = await startServer(t);
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status, email) VALUES ('vm-1', 'available', NULL)`,
  );
  const gateway = await startGateway(t, database, { timing: { beatDeadlineMs: 1_000 } });
  const open = await startBrowser(t);

  await t.test('nothing is claimed while the page loads', async (t) => {
    const page = await open(gateway.url);
    await page.routeWebSocket(/v1\/vms/, () => undefined);
    await signIn(page, await gateway.token('admin'));
    await page.locator('.fleet').getByText('Loading…').waitFor();
    t.notMatch(await claimsNothing(page), CLAIMS);
    t.ok((await page.locator('.skeleton-row').count()) > 0);
  });

  await t.test('a database that was never reached is a message of full size', async (t) => {
    const config = { ...database.config, host: '127.0.0.1', port: await freePort() };
    const away = await startGateway(t, { ...database, config }, { waitReady: false });
    const page = await open(away.url, { token: await away.token('admin') });
    const fleet = page.locator('.fleet');
    await fleet.getByRole('heading', { name: 'Waiting for the database' }).waitFor();
    t.notMatch(await claimsNothing(page), CLAIMS);
    await page
      .locator('.connection-title')
      .filter({ hasText: /in \d+ s/ })
      .waitFor();
    await fleet.getByRole('button', { name: 'Try now' }).click();
    await fleet.getByRole('heading', { name: 'Waiting for the database' }).waitFor();
  });

  await t.test(
    'an old state looks old, on a phone too, and not when it is current again',
    async (t) => {
      const page = await open(gateway.url, {
        token: await gateway.token('admin'),
        viewport: { width: 375, height: 800 },
      });
      await untilLive(page);
      t.equal(await page.locator('.console.stale').count(), 0);
      await stop();
      const bar = page.locator('.stale-bar');
      await bar.getByText(/as of \d+:\d+/).waitFor();
      await bar.getByText('no VM can be assigned').waitFor();
      await page.locator('.console.stale').waitFor();
      t.match(
        await page.evaluate(`getComputedStyle(document.querySelector('.glance')).filter`),
        'grayscale',
      );
      await findRow(page, 'vm-1').waitFor();
      await start();
      await untilLive(page);
      await bar.waitFor({ state: 'detached' });
      t.equal(await page.locator('.console.stale').count(), 0);
    },
  );

  await t.test('a connection that breaks says since when, and Try now connects', async (t) => {
    const page = await open(gateway.url);
    let isAway = false;
    const sockets: WebSocketRoute[] = [];
    await page.routeWebSocket(/v1\/vms/, (socket) => {
      if (isAway) {
        void socket.close({ code: 1012 });
        return;
      }
      socket.connectToServer();
      sockets.push(socket);
    });
    await signIn(page, await gateway.token('admin'));
    await untilLive(page);
    isAway = true;
    for (const socket of sockets) await socket.close({ code: 1012 });
    const bar = page.locator('.stale-bar');
    await bar.getByRole('heading', { name: 'Not connected' }).waitFor();
    await bar.getByText(/as of \d+:\d+/).waitFor();
    await bar.getByText('Changes are not lost').waitFor();
    t.same(await page.locator('.plot-value').allInnerTexts(), ['–', 'none yet']);
    isAway = false;
    await bar.getByRole('button', { name: 'Try now' }).click();
    await untilLive(page);
  });

  await t.test('a token that ends keeps the wall, with a bar over it', async () => {
    const page = await open(gateway.url);
    const token = signToken({ role: 'dashboard', sub: 'brief', ttlSeconds: 10 }, SECRET);
    await page.getByLabel('Token', { exact: true }).waitFor();
    await signIn(page, token);
    await untilLive(page);
    await page.getByRole('heading', { name: 'Expired' }).waitFor();
    await page
      .locator('.stale-bar')
      .getByText(/as of \d+:\d+/)
      .waitFor();
    await findRow(page, 'vm-1').waitFor();
    await page.getByRole('button', { name: 'Use another token' }).click();
    await signIn(page, await gateway.token('dashboard'));
    await untilLive(page);
  });
});
