// Random histories of changes and faults, as many as there is time for: `npm run model` tries
// thousands.

import t from 'tap';
import { startServer } from '../helpers/database.js';
import { MODEL_SERVER, runModel } from './model-run.js';

const RUNS = 240;
const LIMIT_MS = 15_000;
const SEED = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31);

t.test('whatever happens in whatever order, everyone ends at the table', async (t) => {
  const server = await startServer(t, MODEL_SERVER);
  const { runs, failure } = await runModel(server, {
    ...{ runs: RUNS, seed: SEED, limitMs: LIMIT_MS },
  });
  t.comment(`${runs} runs, seed ${SEED}`);
  t.equal(failure, undefined);
  t.ok(runs > 0);
});
