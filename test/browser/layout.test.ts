// The page at the widths of phones to wall displays, in each of its states: nothing leaves its card
// or the window, and nothing scrolls sideways.

import type { Page } from 'playwright-core';
import t from 'tap';
import { NO_BROWSER, findRow, startBrowser, untilLive } from '../helpers/browser.js';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';

const WIDTHS = [320, 375, 600, 768, 1024, 1280, 1440, 2560];

/**
 * Lists the elements that leave their card or the window. Text that ends with an ellipsis, and
 * commands that scroll in their box, are inside.
 */
const FIND_OUTSIDE = `(() => {
  const CARDS = '.gate-card, .glance, .fleet, .activity, .drawer, .stale-bar, .action-panel, .header';
  const describe = (element, what) =>
    element.tagName + '.' + element.className + ' ' + what + ': ' + element.textContent.slice(0, 40);
  const isClipped = (element) => element.parentElement?.closest('.text, code, .sr-only, .plot-place, .plot-name, svg') !== null;
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0 || isClipped(element)) continue;
    if (element.closest('.skip, .sr-only, [inert], svg svg') !== null) continue;
    if (box.left < -0.5 || box.right > innerWidth + 0.5) found.push(describe(element, 'window'));
    const card = element.parentElement?.closest(CARDS)?.getBoundingClientRect();
    if (card && (box.left < card.left - 0.5 || box.right > card.right + 0.5))
      found.push(describe(element, 'card'));
  }
  for (const element of [document.documentElement, ...document.querySelectorAll('.stage, .table, .drawer-body, .activity-list')])
    if (element.scrollWidth > element.clientWidth + 1) found.push(describe(element, 'scrolls sideways'));
  return found;
})()`;

t.test('the layout', { skip: NO_BROWSER }, async (t) => {
  const { createDatabase, stop } = await startServer(t);
  const database = await createDatabase();
  await database.query(`
    INSERT INTO vms (hostname, status, email, crd_command)
    SELECT 'a-lab-in-the-north-' || n, (ARRAY['available', 'in-use', 'failed', 'rebooting'])[n % 4 + 1],
           CASE n % 4 WHEN 1 THEN 'a.person.with.a.long.name' || n || '@department.example.com' END,
           CASE n % 4 WHEN 1 THEN 'start-host --code=' || repeat('x', 200) END
    FROM generate_series(1, 40) n`);
  const gateway = await startGateway(t, database, { timing: { beatDeadlineMs: 1_000 } });
  const empty = await startGateway(t, await createDatabase());
  const open = await startBrowser(t);

  const check = async (page: Page, state: string): Promise<void> => {
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      // Two frames: one for the layout, one for what is measured and drawn after it.
      await page.evaluate(
        `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`,
      );
      t.same(await page.evaluate(FIND_OUTSIDE), [], `${state} at ${width} px`);
    }
    await page.context().close();
  };
  const enter = async (state = '') => {
    const page = await open(gateway.url, { token: await gateway.token('admin'), state });
    await untilLive(page);
    return page;
  };

  const signIn = await open(gateway.url);
  await signIn.getByRole('heading', { name: 'Sign in' }).waitFor();
  await check(signIn, 'the sign-in');

  const refused = await open(gateway.url, { token: await gateway.token('agent', 'vm-1') });
  await refused.getByRole('heading', { name: 'Not allowed' }).waitFor();
  await check(refused, 'a refused token');

  const loading = await open(gateway.url);
  await loading.routeWebSocket(/v1\/vms/, () => undefined);
  await loading.getByLabel('Token', { exact: true }).fill(await gateway.token('admin'));
  await loading.getByRole('button', { name: 'Sign in' }).click();
  await loading.locator('.skeleton-row').first().waitFor();
  await check(loading, 'loading');

  const none = await open(empty.url, { token: await empty.token('admin') });
  await none.getByRole('heading', { name: 'No VMs yet' }).waitFor();
  await check(none, 'no VMs');

  const live = await enter();
  await findRow(live, 'a-lab-in-the-north-1').waitFor();
  await check(live, 'live');

  const drawer = await enter('vm=a-lab-in-the-north-1');
  await drawer.getByRole('button', { name: 'Assign to another person' }).click();
  await check(drawer, 'a drawer');

  const stale = await enter();
  await stop();
  await stale.locator('.stale-bar').waitFor();
  await check(stale, 'stale');
});
