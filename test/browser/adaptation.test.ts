// The page for people and media with needs of their own: less motion, the browser's font size,
// forced colours, paper, landmarks.

import t from 'tap';
import { NO_BROWSER, findRow, startBrowser, untilLive } from '../helpers/browser.js';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';

t.test('adaptation', { skip: NO_BROWSER }, async (t) => {
  const database = await startDatabase(t);
  await database.query(`
    INSERT INTO vms (hostname, status, email)
    SELECT 'vm-' || n, (ARRAY['available', 'in-use'])[n % 2 + 1],
           CASE n % 2 WHEN 1 THEN 'ada@example.com' END FROM generate_series(1, 120) n`);
  const gateway = await startGateway(t, database);
  const open = await startBrowser(t);
  const page = await open(gateway.url, {
    token: await gateway.token('dashboard'),
    reducedMotion: 'reduce',
  });
  await untilLive(page);
  await findRow(page, 'vm-1').waitFor();

  await t.test('nothing moves for a user who asks for less motion', async (t) => {
    await database.query(`UPDATE vms SET email = 'eve@example.com' WHERE hostname = 'vm-1'`);
    await findRow(page, 'vm-1').getByText('eve@example.com').waitFor();
    t.equal(await page.evaluate('document.getAnimations().length'), 0);
  });

  await t.test('text grows with the browser’s font size', async (t) => {
    const size = `parseFloat(getComputedStyle(document.documentElement).fontSize)`;
    const before = await page.evaluate<number>(size);
    const session = await page.context().newCDPSession(page);
    await session.send('Page.setFontSizes', { fontSizes: { standard: 32 } });
    t.ok((await page.evaluate<number>(size)) >= 1.8 * before);
    await session.send('Page.setFontSizes', { fontSizes: { standard: 16 } });
  });

  await t.test('forced colours keep what backgrounds said', async (t) => {
    await page.emulateMedia({ forcedColors: 'active' });
    const border = await page.evaluate<string>(
      `getComputedStyle(document.querySelector('.danger-mark')).borderTopWidth`,
    );
    t.equal(border, '2px');
    const edge = (row: string) =>
      page.evaluate<string>(
        `getComputedStyle(document.querySelector('${row}')).borderInlineStartColor`,
      );
    t.not(await edge('.row.endangered'), await edge('.head-row'));
    await page.emulateMedia({ forcedColors: 'none' });
  });

  await t.test('paper has every row, and no controls', async (t) => {
    t.ok((await page.locator('.table-body .row').count()) < 60);
    await page.emulateMedia({ media: 'print' });
    await page.locator('.table-body .row >> nth=119').waitFor();
    for (const control of ['.toolbar', '.header-end', '.activity'])
      t.notOk(await page.locator(control).isVisible(), control);
    await page.emulateMedia({ media: 'screen' });
  });

  await t.test('landmarks and controls have names', async (t) => {
    for (const role of ['banner', 'main', 'complementary'] as const)
      t.equal(await page.getByRole(role).count(), 1, role);
    for (const name of ['Summary', 'VMs'])
      await page.getByRole('region', { name, exact: true }).waitFor();
    await page.getByRole('button', { name: 'Pause the activity' }).waitFor();
    await page.getByRole('combobox', { name: 'Filter by agent' }).waitFor();
    t.equal(
      await page.locator('button:not([aria-label]):not(:has(span)):empty').count(),
      0,
      'no button without a name',
    );
  });
});
