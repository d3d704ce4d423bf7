// The activity for an admin: who acted, many changes as one line, older pages, and the filter.

import t from 'tap';
import { NO_BROWSER, startBrowser, untilLive } from '../helpers/browser.js';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';

t.test('the activity of an admin', { skip: NO_BROWSER }, async (t) => {
  const database = await startDatabase(t);
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 250) n`,
  );
  const gateway = await startGateway(t, database);
  const open = await startBrowser(t);
  const page = await open(gateway.url, { token: await gateway.token('admin', 'ada') });
  await untilLive(page);
  const items = page.locator('.activity-item');
  await items.filter({ hasText: '100 VMs were registered' }).waitFor();

  await page.getByRole('button', { name: 'Show earlier activity' }).click();
  await items.filter({ hasText: '200 VMs were registered' }).waitFor();

  const released = await fetch(`${gateway.url}/v1/vms/vm-1`, {
    method: 'PATCH',
    headers: {
      authorization: `Bearer ${await gateway.token('admin', 'eve')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ status: 'failed' }),
  });
  t.ok(released.ok);
  await items.filter({ hasText: 'vm-1 failed by admin:eve' }).waitFor();

  await database.query(`DELETE FROM vms WHERE hostname IN ('vm-2', 'vm-3', 'vm-4', 'vm-5')`);
  const bulk = items.filter({ hasText: /4 VMs were deleted.* by .*, in the database/ });
  await bulk.locator('summary').click();
  await bulk.getByRole('button', { name: 'vm-3' }).waitFor();

  await page.getByLabel('Filter the activity').selectOption('failures');
  await items.filter({ hasText: 'vm-1 failed' }).waitFor();
  t.equal(await items.count(), 1);
});
