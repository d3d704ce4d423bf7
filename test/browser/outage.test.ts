// What is seen when something is away: the gateway, which is killed and comes back, and the database. Nothing is missed,
// and the page says what it shows meanwhile.

import type { Page } from 'playwright-core';
import t from 'tap';
import {
  connectionTitle,
  NO_BROWSER,
  findRow,
  startBrowser,
  untilLive,
} from '../helpers/browser.js';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { startGatewayProcess } from '../helpers/gateway-process.js';
import { until } from '../helpers/until.js';

const ROWS = `
  INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 30) n`;

/** Every row as it is drawn, so that it can be compared with the table. */
async function drawn(page: Page): Promise<Map<string, string>> {
  const rows = await page
    .locator('.table-body .row')
    .evaluateAll((elements: { dataset: { hostname: string }; textContent: string }[]) =>
      elements.map(({ dataset, textContent }) => [dataset.hostname, textContent] as const),
    );
  return new Map(rows);
}

t.test('what is away', { skip: NO_BROWSER }, async (t) => {
  const { createDatabase, stop, start } = await startServer(t);
  const open = await startBrowser(t);

  await t.test(
    'a gateway that is killed: the page waits, says when it tries, and misses nothing',
    async (t) => {
      const database = await createDatabase();
      await database.query(ROWS);
      const first = await startGatewayProcess(t, database);
      const token = await first.token('admin');
      const page = await open(first.url, { token, viewport: { width: 1280, height: 2_200 } });
      await untilLive(page);
      first.program.child.kill('SIGKILL');
      await first.program.exited;
      await connectionTitle(page)
        .filter({ hasText: /^Reconnecting/ })
        .waitFor();
      t.equal((await drawn(page)).size, 30, 'what was known stays');
      // Missed: a change, a deletion, a row that comes, and one that comes and goes.
      await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-1'`);
      await database.query(`DELETE FROM vms WHERE hostname = 'vm-2'`);
      await database.query(
        `INSERT INTO vms (hostname, status) VALUES ('new', 'available'), ('brief', 'failed')`,
      );
      await database.query(`DELETE FROM vms WHERE hostname = 'brief'`);
      await startGatewayProcess(t, database, { env: { PORT: new URL(first.url).port } });
      await untilLive(page);
      await until('the page shows the table', async () => {
        const rows = await drawn(page);
        const isRight = rows.get('vm-1')?.includes('Failed') === true && rows.has('new');
        return isRight && !rows.has('vm-2') && !rows.has('brief') && rows.size === 30;
      });
      const told = page.locator('.activity-list .activity-text');
      for (const event of ['vm-1 failed', 'vm-2 was deleted', 'new was registered, available'])
        await told.filter({ hasText: event }).waitFor();
    },
  );

  await t.test(
    'the database: what was last known is shown as such, and then what is',
    async (t) => {
      const database = await createDatabase();
      await database.query(ROWS);
      const gateway = await startGateway(t, database, { timing: { beatDeadlineMs: 1_000 } });
      const page = await open(gateway.url, { token: await gateway.token('dashboard') });
      await untilLive(page);
      await stop();
      await connectionTitle(page).filter({ hasText: 'Database unavailable' }).waitFor();
      await page.getByText('The page shows the last known state').waitFor();
      await findRow(page, 'vm-3').waitFor();
      await start();
      await untilLive(page);
      await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-3'`);
      await findRow(page, 'vm-3').getByText('Failed').waitFor();
    },
  );
});
