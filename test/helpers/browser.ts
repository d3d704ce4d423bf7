// A real browser on the dashboard of a test's gateway. Each test file has one browser, and each
// visit a context of its own, as on another machine.

import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import type { Teardown } from './database.js';

const CHROMIUM = '/usr/bin/chromium';

/** Why tests in a browser are skipped here, or false. */
export const NO_BROWSER = existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM}`;

/** Nothing is asked of anybody but the page under test. */
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Far beyond what anything here takes. */
const PATIENCE_MS = 60_000;

export interface Visit extends BrowserContextOptions {
  /** Goes into the URL's fragment, as in old links; the question about it is answered with yes. */
  readonly token?: string;
  /** More of the fragment, as `status=failed`. */
  readonly state?: string;
}

/** Starts a browser that ends with the test; gives what opens the page in it. */
export async function startBrowser(
  t: Teardown,
  flags: readonly string[] = [],
): Promise<(url: string, visit?: Visit) => Promise<Page>> {
  const asRoot = process.geteuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...FLAGS, ...asRoot, ...flags],
  });
  t.teardown(() => browser.close());
  return async (url, { token, state = '', ...options } = {}) => {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      ...options,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const fragment = [token === undefined ? '' : `token=${token}`, state].filter(Boolean).join('&');
    await page.goto(fragment === '' ? url : `${url}/#${fragment}`);
    if (token !== undefined)
      await page.getByRole('button', { name: 'Use the link', exact: true }).click();
    return page;
  };
}

/** Errors of the page: uncaught ones, and what its policy refused. */
export function watchComplaints(page: Page): readonly string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedHTML|Uncaught/.test(message.text()))
      complaints.push(message.text());
  });
  return complaints;
}

/** The row of a VM in the table. */
export const findRow = (page: Page, hostname: string) =>
  page.locator(`.table-body [data-hostname="${hostname}"]`);

/** The state of the connection, as the header says it. */
export const connectionTitle = (page: Page) => page.locator('.connection-title');

/** Resolves when the page says that it is live. */
export async function untilLive(page: Page): Promise<void> {
  await connectionTitle(page)
    .filter({ hasText: /^Live$/ })
    .waitFor();
}

/** The hostnames in the table, from top to bottom as they are drawn. */
export async function hostnames(page: Page): Promise<string[]> {
  const rows = await page
    .locator('.table-body .row')
    .evaluateAll((elements: { dataset: { hostname: string }; ariaRowIndex: string }[]) =>
      elements.map(
        ({ dataset, ariaRowIndex }) => [Number(ariaRowIndex), dataset.hostname] as const,
      ),
    );
  return rows.toSorted(([one], [other]) => one - other).map(([, hostname]) => hostname);
}
