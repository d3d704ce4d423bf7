// Runs a group of tests on every PostgreSQL at hand: the schema promises the same on all of them.

import t, { type Test } from 'tap';
import { installedBinDirs, startServer, type TestServer } from '../helpers/database.js';

/** The versions the schema is always to be tested on; a missing one is skipped by name. */
const WANTED = [15, 18];

/** More of them, for who has them: folders with `postgres` and `initdb`, separated by colons. */
const more = process.env.TEST_POSTGRES_BIN_DIRS?.split(':') ?? [];

export interface ServerUnderTest {
  readonly majorVersion: number;
  readonly binDir: string;
  readonly createDatabase: TestServer['createDatabase'];
}

/** Runs `tests` once a server, each on a cluster of its own. */
export function onEveryServer(tests: (t: Test, server: ServerUnderTest) => Promise<void>): void {
  const installed = installedBinDirs();
  for (const version of WANTED) {
    if (installed.some(({ majorVersion }) => majorVersion === version)) continue;
    t.test(`PostgreSQL ${version}`, { skip: 'it is not installed' }, async () => undefined);
  }
  for (const binDir of [...installed.map((server) => server.binDir), ...more]) {
    t.test(binDir, async (t) => {
      const testServer = await startServer(t, { binDir });
      const { majorVersion } = testServer.server;
      t.comment(`PostgreSQL ${majorVersion}`);
      const createDatabase: TestServer['createDatabase'] = (options) =>
        testServer.createDatabase(options);
      await tests(t, { majorVersion, binDir, createDatabase });
    });
  }
}
