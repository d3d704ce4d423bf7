// The actions of an admin in a VM's drawer: their effect in the database and the audit, two admins
// at the same time, and the texts for actions that fail.

import type { Locator, Page } from 'playwright-core';
import t from 'tap';
import { NO_BROWSER, findRow, startBrowser } from '../helpers/browser.js';
import { startServer, type TestDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';

t.test('an admin’s actions', { skip: NO_BROWSER }, async (t) => {
  const { createDatabase, stop, start } = await startServer(t);
  const open = await startBrowser(t);

  const begin = async (rows: string) => {
    const database = await createDatabase();
    await database.query(`INSERT INTO vms (hostname, status, email, crd_command) VALUES ${rows}`);
    const gateway = await startGateway(t, database);
    const enter = async (sub: string, hostname = 'vm-1') => {
      const token = await gateway.token('admin', sub);
      const page = await open(gateway.url, { token, state: `vm=${hostname}` });
      const drawer = page.getByRole('dialog', { name: hostname });
      await drawer.getByRole('button', { name: 'Delete' }).waitFor();
      return { page, drawer };
    };
    return { database, gateway, enter };
  };
  const readVm = async (database: TestDatabase, hostname = 'vm-1') => {
    const [row] = await database.query<Record<string, unknown>>(
      'SELECT status, email, crd_command FROM vms WHERE hostname = $1',
      [hostname],
    );
    return row;
  };
  const sees = (drawer: Locator, text: string | RegExp) => drawer.getByText(text).waitFor();
  const press = (drawer: Locator, name: string) =>
    drawer.getByRole('button', { name, exact: true }).click();

  await t.test('assign, release, mark failed, mark available, delete', async (t) => {
    const { database, enter } = await begin(`('vm-1', 'available', NULL, NULL)`);
    const { page, drawer } = await enter('ada');
    await press(drawer, 'Assign');
    await drawer.getByLabel('Person (email)').fill('eve@example.com');
    await drawer.getByLabel('Command').fill('start-host --code=1');
    await press(drawer, 'Assign');
    await sees(drawer, 'vm-1 was assigned to eve@example.com.');
    t.same(await readVm(database), {
      status: 'in-use',
      email: 'eve@example.com',
      crd_command: 'start-host --code=1',
    });
    t.notMatch(await drawer.textContent(), 'start-host', 'the command is hidden until a click');
    await press(drawer, 'Show the command');
    await sees(drawer, 'start-host --code=1');

    await press(drawer, 'Assign to another person');
    await sees(drawer, 'eve@example.com will lose the VM.');
    await drawer.getByLabel('Person (email)').fill('bob@example.com');
    await press(drawer, 'Assign to another person');
    await sees(drawer, 'vm-1 was assigned to bob@example.com.');
    t.same(await readVm(database), {
      status: 'in-use',
      email: 'bob@example.com',
      crd_command: null,
    });

    await press(drawer, 'Mark failed');
    await press(drawer, 'Mark failed');
    await sees(drawer, 'vm-1 was marked failed.');
    t.match(await readVm(database), { status: 'failed', email: 'bob@example.com' });
    await press(drawer, 'Release');
    await sees(drawer, 'bob@example.com will lose the VM; it stays failed.');
    await press(drawer, 'Release');
    await sees(drawer, 'vm-1 was released from bob@example.com.');
    t.match(await readVm(database), { status: 'failed', email: null });
    await press(drawer, 'Mark available');
    await press(drawer, 'Mark available');
    await sees(drawer, 'vm-1 is available.');
    t.match(await readVm(database), { status: 'available' });

    const history = drawer.locator('section', { hasText: 'History' });
    await history.getByText('Available → in use, no person → eve@example.com').waitFor();
    await until(
      'the history has every action',
      async () => (await history.locator('li').count()) >= 6,
    );
    t.match(await history.locator('.history-who').first().textContent(), 'admin:ada');

    await press(drawer, 'Delete');
    const confirm = drawer.locator('form').getByRole('button', { name: 'Delete' });
    await drawer.getByLabel('Type vm-1 to confirm').fill('vm-2');
    t.ok(await confirm.isDisabled());
    await drawer.getByLabel('Type vm-1 to confirm').fill('vm-1');
    await confirm.click();
    await sees(drawer, 'vm-1 was deleted.');
    await sees(drawer, 'This VM no longer exists.');
    t.equal(await readVm(database), undefined);
    await page.getByRole('heading', { name: 'No VMs yet' }).waitFor();
  });

  await t.test(
    'of two admins who act at the same time, one is rejected and overwrites nothing',
    async (t) => {
      const { database, enter } = await begin(`('vm-1', 'available', NULL, NULL)`);
      const admins = await Promise.all([enter('ada'), enter('bob')]);
      for (const [index, { drawer }] of admins.entries()) {
        await press(drawer, 'Assign');
        await drawer.getByLabel('Person (email)').fill(`person-${index}@example.com`);
      }
      await Promise.all(admins.map(({ drawer }) => press(drawer, 'Assign')));
      const outcomes = await Promise.all(
        admins.map(({ drawer }) =>
          Promise.race([
            drawer
              .locator('.note.good')
              .waitFor()
              .then(() => 'done' as const),
            drawer
              .locator('.note.conflict')
              .waitFor()
              .then(() => 'rejected' as const),
          ]),
        ),
      );
      t.same(outcomes.toSorted(), ['done', 'rejected']);
      const winner = `person-${outcomes.indexOf('done')}@example.com`;
      t.match(await readVm(database), { email: winner });
      const loser = admins[outcomes.indexOf('rejected')]?.drawer;
      if (loser === undefined) throw new Error('no admin was rejected');
      await sees(loser, 'Nothing was changed: this VM was changed while you were looking at it.');
      await sees(loser, 'This VM has changed since you opened the form:');
      await loser.locator('.change-notice ins').filter({ hasText: winner }).waitFor();
      await press(loser, 'Use the current state');
      await sees(loser, `${winner} will lose the VM.`);
      await press(loser, 'Cancel');
    },
  );

  await t.test('changes since the form was opened are shown, also a deletion', async (t) => {
    const { database, enter } = await begin(`('vm-1', 'in-use', 'ada@example.com', 'a command')`);
    const { drawer } = await enter('ada');
    await press(drawer, 'Release');
    await database.query(`UPDATE vms SET email = 'eve@example.com', crd_command = 'another'`);
    await drawer.locator('.change-notice').getByText('eve@example.com').waitFor();
    t.notMatch(
      await drawer.locator('.change-notice').textContent(),
      'another',
      'commands are secret',
    );
    await press(drawer, 'Release');
    await sees(drawer, 'Nothing was changed: this assignment had already ended.');
    t.match(await readVm(database), { status: 'in-use', email: 'eve@example.com' });
    await database.query('DELETE FROM vms');
    await drawer.locator('.change-notice').getByText('deleted').waitFor();
  });

  await t.test(
    'an unavailable database is reported, and the action works when it is back',
    async (t) => {
      const { database, gateway, enter } = await begin(`('vm-1', 'available', NULL, NULL)`);
      const { drawer } = await enter('ada');
      await press(drawer, 'Mark failed');
      await stop();
      await press(drawer, 'Mark failed');
      await sees(
        drawer,
        /The database does not respond, so the change may or may not have been made\./,
      );
      await start();
      await gateway.ready();
      await press(drawer, 'Mark failed');
      await sees(drawer, 'vm-1 was marked failed.');
      t.match(await readVm(database), { status: 'failed' });
    },
  );

  await t.test(
    'the form doubts an email, takes lines, and is closed first by Escape',
    async (t) => {
      const { database, enter } = await begin(`('vm-1', 'available', NULL, NULL)`);
      const { page, drawer } = await enter('ada');
      await press(drawer, 'Assign');
      t.notMatch(await drawer.locator('form').textContent(), /runs the command/);
      await page.keyboard.press('Escape');
      // The form is closed, the drawer is open, and the focus is where it was.
      await drawer.locator('[data-kind="assign"]:focus').waitFor();
      await page.keyboard.press('Enter');
      await drawer.getByLabel('Person (email)').fill('ada at example');
      await drawer.getByLabel('Command').fill('first\nsecond');
      await sees(drawer, 'The VM runs the command immediately.');
      await press(drawer, 'Assign');
      await sees(drawer, 'ada at example does not look like an email address.');
      t.match(await readVm(database), { status: 'available' });
      await press(drawer, 'Use anyway');
      await sees(drawer, 'vm-1 was assigned to ada at example.');
      t.match(await readVm(database), { email: 'ada at example', crd_command: 'first\nsecond' });
      await drawer.locator('[data-kind="assign"]:focus').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    },
  );

  await t.test('an open drawer can be linked to and closed by the back button', async () => {
    const { enter } = await begin(
      `('vm-1', 'available', NULL, NULL), ('a/b', 'failed', NULL, NULL)`,
    );
    const { page, drawer } = await enter('ada');
    await press(drawer, 'Close');
    await findRow(page, 'a/b').click();
    await drawerIs(page, 'a/b');
    await page.goBack();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });
});

async function drawerIs(page: Page, hostname: string): Promise<void> {
  await page.getByRole('dialog', { name: hostname, exact: true }).waitFor();
}
