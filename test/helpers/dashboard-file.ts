// The largest file that the gateway streams from the disk: the dashboard's script.

import { readdirSync } from 'node:fs';

const FOLDER = new URL('../../dist/dashboard/assets/', import.meta.url);

/** The name of the script; its hash changes with each build. @throws if it is not built */
export function findDashboardScript(): string {
  const name = readdirSync(FOLDER).find((file) => /^main-\w+\.js$/.test(file));
  if (name === undefined) throw new Error('the dashboard is not built: run `npm run build`');
  return name;
}
