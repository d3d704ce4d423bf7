// The page during outages: a gateway that is killed and restarted, and a database that stops. The
// page shows its state and misses nothing.

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

/** Reads the text of every rendered row, by hostname. */
async function readRows(page: Page): Promise<Map<string, string>> {
  const rows = await page
    .locator('.table-body .row')
    .evaluateAll((elements: { dataset: { hostname: string }; textContent: string }[]) =>
      elements.map(({ dataset, textContent }) => [dataset.hostname, textContent] as const),
    );
  return new Map(rows);
}

t.test('outages', { skip: NO_BROWSER }, async (t) => {
  const { createDatabase, stop, start } = await startServer(t);
  const open = await startBrowser(t);

  await t.test(
    'after a gateway is killed the page reconnects, shows when, and misses nothing',
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
      t.equal((await readRows(page)).size, 30, 'the known rows stay');
      // The page misses a change, a deletion, a new row, and a row that is added and deleted.
      await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-1'`);
      await database.query(`DELETE FROM vms WHERE hostname = 'vm-2'`);
      await database.query(
        `INSERT INTO vms (hostname, status) VALUES ('new', 'available'), ('brief', 'failed')`,
      );
      await database.query(`DELETE FROM vms WHERE hostname = 'brief'`);
      await startGatewayProcess(t, database, { env: { PORT: new URL(first.url).port } });
      await untilLive(page);
      await until('the page shows the table', async () => {
        const rows = await readRows(page);
        const isRight = rows.get('vm-1')?.includes('Failed') === true && rows.has('new');
        return isRight && !rows.has('vm-2') && !rows.has('brief') && rows.size === 30;
      });
      const entries = page.locator('.activity-list .activity-text');
      for (const event of ['vm-1 failed', 'vm-2 was deleted', 'new was registered, available'])
        await entries.filter({ hasText: event }).waitFor();
    },
  );

  await t.test(
    'without the database the page shows the last known state, and then the current one',
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
