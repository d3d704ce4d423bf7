// A slice of the matrix: a world in which everything works, one that is explained, and one in which
// a step differs. All of it: `npm run matrix`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { installedBinDirs, startServer } from '../helpers/database.js';
import { runWorld, STEPS } from './run.js';
import { WORKS } from './steps.js';
import { WORLDS } from './worlds.js';

const NAMES = ['row_security = off', 'email renamed', 'triggers of others'];

const [server] = installedBinDirs();
const binDir = server?.binDir ?? '';

t.test('each cell works or says why, and all work when it is mended', async (t) => {
  const testServer = await startServer(t, { binDir });
  const worlds = WORLDS.filter(({ name }) => NAMES.includes(name));
  t.equal(worlds.length, NAMES.length);
  for (const world of worlds) {
    const row = await runWorld(testServer, world, existsSync(join(binDir, 'pg_dump')));
    for (const step of STEPS) t.notMatch(row[step], /^WRONG/, `${world.name}: ${step}`);
    t.equal(row.mended, WORKS, `${world.name}: mended`);
  }
});

t.test('there are forty settings and twelve shapes', async (t) => {
  t.ok(WORLDS.length >= 52, String(WORLDS.length));
  t.equal(new Set(WORLDS.map(({ name }) => name)).size, WORLDS.length);
});
