// Checks every page with axe, in both themes, on wide and narrow screens.

import axe from 'axe-core';
import type { Page } from 'playwright-core';
import t from 'tap';
import { NO_BROWSER, findRow, startBrowser, untilLive } from '../helpers/browser.js';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';

const { source } = axe;

/** Runs axe in the page. The script is evaluated, because the page's policy forbids to load it. */
async function violations(page: Page): Promise<string[]> {
  // Colours are checked when their transitions have ended.
  await page.evaluate(`Promise.allSettled(document.getAnimations().map((one) => one.finished))`);
  await page.evaluate(source);
  const { violations: found } = await page.evaluate<axe.AxeResults>('axe.run()');
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

t.test('accessibility', { skip: NO_BROWSER }, async (t) => {
  const database = await startDatabase(t);
  await database.query(`
    INSERT INTO vms (hostname, status, email, crd_command)
    SELECT 'vm-' || n, (ARRAY['available', 'in-use', 'failed', 'rebooting'])[n % 4 + 1],
           CASE n % 4 WHEN 1 THEN 'ada@example.com' END, 'a command' FROM generate_series(1, 40) n`);
  const gateway = await startGateway(t, database);
  const empty = await startGateway(t, await startDatabase(t));
  const open = await startBrowser(t);
  const token = await gateway.token('admin');
  const agent = await gateway.token('agent', 'vm-1');

  // Colours depend on the theme and the layout on the width, so not all combinations are needed.
  const looks = [
    ['light', 1600],
    ['dark', 1600],
    ['dark', 390],
  ] as const;
  for (const [colorScheme, width] of looks) {
    await t.test(`${colorScheme}, ${width} px`, async (t) => {
      const visit = { colorScheme, viewport: { width, height: 900 } };
      const signIn = await open(gateway.url, visit);
      await signIn.getByRole('heading', { name: 'Sign in' }).waitFor();
      t.same(await violations(signIn), [], 'the sign-in');

      const refused = await open(gateway.url, { ...visit, token: agent });
      await refused.getByRole('heading', { name: 'Not allowed' }).waitFor();
      t.same(await violations(refused), [], 'a rejected token');

      const none = await open(empty.url, { ...visit, token: await empty.token('admin') });
      await none.getByRole('heading', { name: 'No VMs yet' }).waitFor();
      t.same(await violations(none), [], 'no VMs');

      const fleet = await open(gateway.url, { ...visit, token, state: 'status=in-use,failed' });
      await untilLive(fleet);
      const [changed] = await database.query<{ email: string }>(
        `UPDATE vms SET email = md5(random()::text) WHERE hostname = 'vm-1' RETURNING email`,
      );
      await findRow(fleet, 'vm-1')
        .getByText(changed?.email ?? '')
        .waitFor({ state: 'attached' });
      await findRow(fleet, 'vm-2').waitFor();
      t.same(await violations(fleet), [], 'the fleet');
      await findRow(fleet, 'vm-2').click();
      const drawer = fleet.getByRole('dialog', { name: 'vm-2' });
      await drawer.getByRole('button', { name: 'Delete' }).click();
      await database.query(`UPDATE vms SET email = md5(random()::text) WHERE hostname = 'vm-2'`);
      await drawer.locator('.change-notice').waitFor();
      t.same(await violations(fleet), [], 'a drawer');
    });
  }
});
