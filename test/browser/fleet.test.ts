// The fleet in a browser: live changes, filters and sorting, the keyboard, the activity, and what a
// dashboard's token does not receive.

import t from 'tap';
import { hostnames, NO_BROWSER, findRow, startBrowser, untilLive } from '../helpers/browser.js';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';

const ROWS = `
  INSERT INTO vms (hostname, status, email, crd_command) VALUES
    ('vm-2', 'available', NULL, NULL), ('vm-10', 'in-use', 'ada@example.com', 'the secret'),
    ('vm-1', 'failed', 'bob@example.com', 'the secret'), ('vm-3', 'in-use', 'eve@example.com', NULL),
    ('vm-4', 'rebooting', NULL, NULL)`;

t.test('the fleet', { skip: NO_BROWSER }, async (t) => {
  const { createDatabase } = await startServer(t);
  const open = await startBrowser(t);
  const begin = async () => {
    const database = await createDatabase();
    await database.query(ROWS);
    const gateway = await startGateway(t, database);
    return { database, gateway };
  };

  await t.test('a change made with SQL appears in every browser at once', async (t) => {
    const { database, gateway } = await begin();
    const pages = [
      await open(gateway.url, { token: await gateway.token('admin') }),
      await open(gateway.url, { token: await gateway.token('dashboard') }),
    ];
    for (const page of pages) {
      await untilLive(page);
      // With a fixed clock the highlight of a changed cell does not end.
      await page.clock.setFixedTime(Date.now());
    }
    await database.query(
      `UPDATE vms SET status = 'in-use', email = 'new@example.com' WHERE hostname = 'vm-2'`,
    );
    for (const page of pages) {
      const row = findRow(page, 'vm-2');
      await row.getByText('In use').waitFor();
      t.match(await row.textContent(), 'new@example.com');
      t.match(await row.locator('.cell-status').getAttribute('class'), /glow-(odd|even)/);
      await page
        .locator('.activity-list li:first-child', { hasText: 'vm-2 was assigned' })
        .waitFor();
    }
    await database.query(`DELETE FROM vms WHERE hostname = 'vm-2'`);
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-7', 'available')`);
    for (const page of pages) {
      // A deletion is confirmed by a read, and may arrive after later changes.
      await findRow(page, 'vm-2').waitFor({ state: 'detached' });
      await findRow(page, 'vm-7').waitFor();
      t.same(await hostnames(page), ['vm-1', 'vm-3', 'vm-10', 'vm-4', 'vm-7']);
    }
  });

  await t.test('each filter works, alone and combined', async (t) => {
    const { database, gateway } = await begin();
    const page = await open(gateway.url, { token: await gateway.token('dashboard') });
    await untilLive(page);
    const shows = (...wanted: string[]) =>
      until(`${wanted.join()} are shown`, async () => {
        const shown = await hostnames(page);
        return shown.join() === wanted.join();
      });
    const press = (name: string) => page.locator('.counts').getByRole('button', { name }).click();
    // VMs that need attention are first: those in use have no agent.
    const all = ['vm-1', 'vm-3', 'vm-10', 'vm-2', 'vm-4'];
    await shows(...all);
    for (const [name, ...wanted] of [
      ['Available', 'vm-2'],
      ['In use', 'vm-3', 'vm-10'],
      ['Failed', 'vm-1'],
      ['Other', 'vm-4'],
      ['Waiting', 'vm-3', 'vm-10'],
      ['Needs attention', 'vm-1', 'vm-3', 'vm-10'],
      ['Agents online'],
    ] as const) {
      await press(name);
      await shows(...wanted);
      await press(name);
      await shows(...all);
    }
    await press('In use');
    await press('Failed');
    await shows('vm-1', 'vm-3', 'vm-10');
    await page.getByRole('searchbox').fill('EXAMPLE ada');
    await shows('vm-10');
    t.match(new URL(page.url()).hash, /^#status=in-use%2Cfailed&q=EXAMPLE\+ada$/);
    await page.reload();
    await shows('vm-10');
    t.equal(await page.getByRole('searchbox').inputValue(), 'EXAMPLE ada');
    // VMs that begin to match appear, and others disappear.
    await database.query(
      `UPDATE vms SET status = 'in-use', email = 'ada@example.org' WHERE hostname = 'vm-2'`,
    );
    await shows('vm-2', 'vm-10');
    await page.getByRole('button', { name: 'Clear filters' }).click();
    const later = ['vm-1', 'vm-2', 'vm-3', 'vm-10', 'vm-4'];
    await shows(...later);
    t.equal(new URL(page.url()).hash, '');
    await page.getByLabel('Agent').selectOption('online');
    await page.getByText('No VM matches the filters.').waitFor();
    await page.getByRole('button', { name: 'Show all VMs' }).click();
    await shows(...later);
  });

  await t.test('columns sort in both directions', async (t) => {
    const { database, gateway } = await begin();
    const page = await open(gateway.url, { token: await gateway.token('dashboard') });
    await untilLive(page);
    const header = (name: string) => page.getByRole('columnheader', { name });
    const sorted = async (name: string, ...wanted: string[]): Promise<void> => {
      await header(name).getByRole('button').click();
      await until(
        `it is sorted by ${name}`,
        async () => (await hostnames(page)).join() === wanted.join(),
      );
    };
    await sorted('Hostname', 'vm-1', 'vm-2', 'vm-3', 'vm-4', 'vm-10');
    await sorted('Hostname', 'vm-10', 'vm-4', 'vm-3', 'vm-2', 'vm-1');
    t.equal(await header('Hostname').getAttribute('aria-sort'), 'descending');
    await sorted('Person', 'vm-10', 'vm-1', 'vm-3', 'vm-2', 'vm-4');
    await sorted('Person', 'vm-3', 'vm-1', 'vm-10', 'vm-2', 'vm-4');
    await sorted('Status', 'vm-2', 'vm-3', 'vm-10', 'vm-1', 'vm-4');
    t.equal(await header('Status').getAttribute('aria-sort'), 'ascending');
    await database.query(`UPDATE vms SET email = 'x@example.com' WHERE hostname = 'vm-10'`);
    await findRow(page, 'vm-10').getByText('x@example.com').waitFor();
    await sorted('Changed', 'vm-10', 'vm-1', 'vm-2', 'vm-3', 'vm-4');
  });

  await t.test('a danger has a word and a shape in its row, on a phone too', async (t) => {
    const { database, gateway } = await begin();
    const agent = await gateway.connect('/v1/vms/vm-3', 'agent', 'vm-3');
    const [vm] = await database.query<{ id: string }>(
      `SELECT assignment_id AS id FROM vms WHERE hostname = 'vm-3'`,
    );
    agent.send({ type: 'ack', assignment_id: vm?.id });
    const ended = await fetch(`${gateway.url}/v1/assignments/${vm?.id}/end`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${await gateway.token('agent', 'vm-3')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ outcome: 'failed', exit_code: 7 }),
    });
    t.ok(ended.ok);
    for (const width of [375, 1280]) {
      const page = await open(gateway.url, {
        token: await gateway.token('dashboard'),
        viewport: { width, height: 900 },
      });
      await untilLive(page);
      const danger = (hostname: string, text: string) =>
        findRow(page, hostname).locator('.danger-mark', { hasText: text }).locator('svg').waitFor();
      await danger('vm-1', 'Failed');
      await danger('vm-10', 'Never seen');
      await danger('vm-3', 'Command failed, exit code 7');
      t.equal(await findRow(page, 'vm-3').locator('.reached').count(), 0, 'no dots of success');
      // Late by itself, without a message.
      await danger('vm-10', 'Waiting');
      t.equal(await findRow(page, 'vm-2').locator('.danger-mark').count(), 0);
    }
  });

  await t.test('the keyboard reaches every row and its drawer', async (t) => {
    const { database, gateway } = await begin();
    await database.query(
      `INSERT INTO vms (hostname, status) SELECT 'z-' || n, 'available' FROM generate_series(1, 300) n`,
    );
    const page = await open(gateway.url, { token: await gateway.token('dashboard') });
    await findRow(page, 'vm-1').waitFor();
    t.ok((await hostnames(page)).length < 60, 'only rows in sight are rendered');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#fleet:focus').waitFor();
    const active = () => page.locator('.row.active');
    await page.keyboard.press('ArrowDown');
    t.match(await active().getAttribute('data-hostname'), 'vm-1');
    await page.keyboard.press('End');
    t.match(await active().getAttribute('data-hostname'), 'z-300');
    await page.keyboard.press('PageUp');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    // The attribute refers to the row once it is rendered.
    await page.locator('#fleet[aria-activedescendant="vm-row-vm-3"]').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'vm-3' }).waitFor();
    t.equal(new URL(page.url()).hash, '#vm=vm-3');
    // Once focused, the drawer receives key events.
    await page.locator('#drawer-title:focus').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#fleet:focus').waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('/');
    await page.keyboard.type('z-300');
    await until('one is left', async () => (await hostnames(page)).join() === 'z-300');
  });

  await t.test('the activity does not change while paused, and misses nothing', async (t) => {
    const { database, gateway } = await begin();
    const page = await open(gateway.url, { token: await gateway.token('dashboard') });
    await untilLive(page);
    const items = page.locator('.activity-list li');
    await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-2'`);
    await items.filter({ hasText: 'vm-2 failed' }).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await database.query(`UPDATE vms SET status = 'available' WHERE hostname = 'vm-2'`);
    await database.query(`DELETE FROM vms WHERE hostname = 'vm-4'`);
    await page.getByRole('button', { name: 'Resume (2 new)' }).waitFor();
    t.equal(await items.count(), 1);
    await page.getByRole('button', { name: /Resume/ }).click();
    await items.filter({ hasText: 'vm-4 was deleted' }).waitFor();
    t.same(await items.locator('.activity-text').allTextContents(), [
      'vm-4 was deleted',
      'vm-2 is available again',
      'vm-2 failed',
    ]);
  });

  await t.test('a dashboard’s token receives no command, no action and no history', async (t) => {
    const { database, gateway } = await begin();
    const page = await open(gateway.url);
    const received: string[] = [];
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => received.push(String(payload))),
    );
    page.on('response', (response) => {
      if (response.url().includes('/v1/'))
        void response.text().then(
          (text) => received.push(text),
          () => undefined,
        );
    });
    await page.getByLabel('Token', { exact: true }).fill(await gateway.token('dashboard'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await findRow(page, 'vm-10').click();
    const drawer = page.getByRole('dialog', { name: 'vm-10' });
    await drawer.getByText('Assignment').waitFor();
    await database.query(`UPDATE vms SET crd_command = 'another secret' WHERE hostname = 'vm-10'`);
    // Hidden by the drawer, which replaces the activity.
    const entry = page.locator('.activity-list li').filter({ hasText: 'new command' });
    await entry.waitFor({ state: 'attached' });
    t.notMatch(await drawer.textContent(), /Command|History|Release|Delete/);
    t.equal(await drawer.getByRole('button').count(), 1, 'only the close button');
    t.match(received.join('\n'), 'vm-10');
    t.notMatch(received.join('\n'), /secret|crd_command/);
  });
});
