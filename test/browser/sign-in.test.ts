// The way in: a token that is pasted or comes in the URL, kept for the tab alone, and the pages for one that is refused.

import t from 'tap';
import { signToken } from '../../src/gateway/auth/token.js';
import { NO_BROWSER, startBrowser, untilLive, watchComplaints } from '../helpers/browser.js';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { MAIN, run, temporaryFolder } from '../helpers/process.js';

/** As the gateway of tests has it. */
const SECRET = 'a secret that only tests know, of enough bytes';

t.test('the sign-in', { skip: NO_BROWSER }, async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database);
  const open = await startBrowser(t);

  await t.test('a token is pasted, says who it is, and is kept for the tab', async (t) => {
    const page = await open(gateway.url);
    const complaints = watchComplaints(page);
    const token = page.getByLabel('Token', { exact: true });
    await token.fill('no token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This is not a token').waitFor();
    await token.fill(`  ${await gateway.token('dashboard', 'wall')}\n`);
    await page.getByText(/^dashboard, wall, valid for 59 min/).waitFor();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await untilLive(page);
    await page.reload();
    await untilLive(page);
    t.notOk(await page.evaluate('JSON.stringify(localStorage).includes("eyJ")'), 'nowhere else');

    const other = await page.context().newPage();
    await other.goto(gateway.url);
    await other.getByRole('heading', { name: 'Sign in' }).waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    t.same(complaints, []);
  });

  await t.test('a token in the fragment signs in, and is gone from the URL', async (t) => {
    const page = await open(gateway.url, {
      token: await gateway.token('admin', 'ada'),
      state: 'status=failed&q=lab',
    });
    await untilLive(page);
    t.equal(page.url(), `${gateway.url}/#status=failed&q=lab`);
    t.equal(await page.locator('.identity-name').textContent(), 'ada');
    // Another link in the same tab is another person.
    const token = await gateway.token('dashboard', 'wall');
    await page.evaluate(`location.assign('#token=${token}')`);
    await page.locator('.identity-name').filter({ hasText: 'wall' }).waitFor();
    t.notMatch(page.url(), 'token');
  });

  await t.test('one that expires is told so, and another one signs in', async (t) => {
    const page = await open(gateway.url);
    const token = page.getByLabel('Token', { exact: true });
    await token.waitFor();
    // Signed when the page is there, so that who is slow comes in before it ends.
    await token.fill(signToken({ role: 'dashboard', sub: 'brief', ttlSeconds: 10 }, SECRET));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await untilLive(page);
    await page.getByRole('heading', { name: 'Expired' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Expired' }).waitFor();
    t.match(
      await page.locator('.gate-card').textContent(),
      /valid until .*token --role dashboard/s,
    );
    await page.getByRole('button', { name: 'Use another token' }).click();
    await token.fill(await gateway.token('dashboard'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await untilLive(page);
  });

  await t.test('one that may not watch the fleet is told who may', async (t) => {
    const page = await open(gateway.url, { token: await gateway.token('agent', 'vm-1') });
    await page.getByRole('heading', { name: 'Not allowed' }).waitFor();
    t.match(await page.locator('.gate-card').textContent(), /role agent may not watch the fleet/);
  });

  await t.test('one of another gateway is not accepted', async (t) => {
    const foreign = signToken({ role: 'admin', sub: 'x', ttlSeconds: 60 }, 'x'.repeat(40));
    const page = await open(gateway.url, { token: foreign });
    await page.getByRole('heading', { name: 'Not accepted' }).waitFor();
    t.match(await page.locator('.gate-card').textContent(), /token_invalid/);
  });

  await t.test('without a VM the commands stand there that start one', async (t) => {
    const page = await open(gateway.url, { token: await gateway.token('admin') });
    await page.getByRole('heading', { name: 'No VMs yet' }).waitFor();
    const [token = '', agent = ''] = await page.locator('.empty code').allTextContents();
    // What stands there is run as it stands there, but for where the command is and where its files go.
    const folder = await temporaryFolder(t);
    const commands = [token, agent].map((text) =>
      text.replace('lablink-gateway', `${process.execPath} ${MAIN}`),
    );
    run(t, 'sh', ['-c', `cd ${folder} && ${commands.join(' && ')}`], {
      env: { JWT_SECRET: SECRET, DATA_DIR: folder },
    });
    await page.locator('[data-hostname="vm-1"]').getByText('online').waitFor();
  });
});
