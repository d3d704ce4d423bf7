// The sign-in: a token that is pasted or comes in the URL and is kept for the tab only, and the
// pages for tokens that are rejected.

import t from 'tap';
import { createSignInLink } from '../../src/cli/sign-in-link.js';
import { signToken } from '../../src/gateway/auth/token.js';
import { NO_BROWSER, startBrowser, untilLive, watchComplaints } from '../helpers/browser.js';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { MAIN, run, temporaryFolder } from '../helpers/process.js';

/** The secret of the gateway under test. */
const SECRET = 'a secret that only tests know, of enough bytes';

t.test('the sign-in', { skip: NO_BROWSER }, async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database);
  const open = await startBrowser(t);

  await t.test('a pasted token shows its claims and is kept for the tab', async (t) => {
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
    t.notOk(
      await page.evaluate('JSON.stringify(localStorage).includes("eyJ")'),
      'not in localStorage',
    );

    const other = await page.context().newPage();
    await other.goto(gateway.url);
    await other.getByRole('heading', { name: 'Sign in' }).waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    t.same(complaints, []);
  });

  const createLink = (sub: string): Promise<string> =>
    createSignInLink({
      database: database.config,
      url: gateway.url,
      secret: SECRET,
      content: { role: 'admin', sub, ttlSeconds: 3_600 },
    });

  await t.test('a link signs in once, and its code is removed from the URL', async (t) => {
    const link = await createLink('ada');
    const page = await open(`${link}&status=failed&q=lab`);
    await untilLive(page);
    t.equal(page.url(), `${gateway.url}/#status=failed&q=lab`);
    t.equal(await page.locator('.identity-name').textContent(), 'ada');
    const other = await open(link);
    await other.getByText('This link was used, or is too old').waitFor();
    t.notMatch(other.url(), 'code');
  });

  await t.test('a link replaces a user only after a question', async (t) => {
    const page = await open(await createLink('ada'));
    const name = page.locator('.identity-name');
    await name.filter({ hasText: 'ada' }).waitFor();
    const links = [
      (await createLink('eve')).split('#')[1],
      `token=${await gateway.token('dashboard', 'eve')}`,
    ];
    for (const fragment of links) {
      await page.evaluate(`location.assign('#${fragment}')`);
      await page.getByText('You are signed in as ada (admin)').waitFor();
      t.notMatch(page.url(), /code|token/);
      await page.getByRole('button', { name: 'Stay signed in' }).click();
      await name.filter({ hasText: 'ada' }).waitFor();
    }
    await page.evaluate(`location.assign('#${(await createLink('bob')).split('#')[1]}')`);
    await page.getByRole('button', { name: 'Use the link', exact: true }).click();
    await name.filter({ hasText: 'bob' }).waitFor();
  });

  await t.test('a token in an old link is asked about, and removed from the URL', async (t) => {
    const page = await open(`${gateway.url}/#token=${await gateway.token('admin', 'eve')}&q=lab`);
    await page.getByText('The link has a token of eve (admin)').waitFor();
    t.equal(page.url(), `${gateway.url}/#q=lab`);
    t.notOk(await page.evaluate('sessionStorage.getItem("lablink-token")'), 'nothing is stored');
    await page.getByRole('button', { name: 'Do not use the link' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    const user = await open(gateway.url, { token: await gateway.token('admin', 'ada') });
    await user.locator('.identity-name').filter({ hasText: 'ada' }).waitFor();
  });

  await t.test('an expired token is explained, and another one signs in', async (t) => {
    const page = await open(gateway.url);
    const token = page.getByLabel('Token', { exact: true });
    await token.waitFor();
    // Signed when the page is loaded, so that a slow machine signs in before it expires.
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

  await t.test('a token without permission to watch the fleet is explained', async (t) => {
    const page = await open(gateway.url, { token: await gateway.token('agent', 'vm-1') });
    await page.getByRole('heading', { name: 'Not allowed' }).waitFor();
    t.match(await page.locator('.gate-card').textContent(), /role agent may not watch the fleet/);
  });

  await t.test('a token of another gateway is not accepted', async (t) => {
    const foreign = signToken({ role: 'admin', sub: 'x', ttlSeconds: 60 }, 'x'.repeat(40));
    const page = await open(gateway.url, { token: foreign });
    await page.getByRole('heading', { name: 'Not accepted' }).waitFor();
    t.match(await page.locator('.gate-card').textContent(), /token_invalid/);
  });

  await t.test('without a VM the page shows commands that start one', async (t) => {
    const page = await open(gateway.url, { token: await gateway.token('admin') });
    await page.getByRole('heading', { name: 'No VMs yet' }).waitFor();
    const [token = '', agent = ''] = await page.locator('.empty code').allTextContents();
    // The commands run as shown, except for the path of the program and the folder of its files.
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
