// A table of 10,000 VMs that change all the time: only rows in sight are rendered, and in the end
// the page equals the table. `npm run bench:dashboard` measures how smooth the page stays.

import t from 'tap';
import { NO_BROWSER, findRow, startBrowser, untilLive } from '../helpers/browser.js';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { changeRows, fillRows } from './writing.js';

const VMS = 10_000;

t.test('ten thousand VMs', { skip: NO_BROWSER }, async (t) => {
  const database = await startDatabase(t);
  await fillRows(database, VMS);
  const gateway = await startGateway(t, database);
  const open = await startBrowser(t);
  const page = await open(gateway.url, {
    token: await gateway.token('dashboard'),
    state: 'sort=hostname',
  });
  await untilLive(page);
  await findRow(page, 'vm-1').waitFor();
  await changeRows(database, VMS, 500, 4_000);
  await page.locator('#fleet').focus();
  await page.keyboard.press('End');
  await findRow(page, 'vm-10000').waitFor();
  t.ok((await page.locator('.table-body .row').count()) < 80, 'only rows in sight are rendered');

  const [counted] = await database.query<{ used: number }>(
    `SELECT count(*)::int AS used FROM vms WHERE status = 'in-use'`,
  );
  const count = page.locator('.count', { hasText: 'In use' }).locator('.count-value');
  await until('the count equals the table’s', async () => {
    const text = await count.textContent();
    return Number(text?.replace(/\D/g, '')) === counted?.used;
  });
  const [last] = await database.query<{ email: string | null }>(
    `SELECT email FROM vms WHERE hostname = 'vm-10000'`,
  );
  const email = findRow(page, 'vm-10000').locator('.cell-email');
  await until(
    'the row equals the table’s',
    async () => (await email.textContent()) === (last?.email ?? ''),
  );
});
