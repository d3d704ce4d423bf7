// Thousands of runs of the model: `npm run model -- --runs 2000`. Exits with 1 where one failed,
// and prints what repeats it: `--seed`, `--path` and `--replay`.

import { parseArgs } from 'node:util';
import { startServer } from '../helpers/database.js';
import { MODEL_SERVER, runModel } from './model-run.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    path: { type: 'string' },
    replay: { type: 'string' },
  },
});

const stops: (() => unknown)[] = [];
try {
  const server = await startServer({ teardown: (stop) => stops.push(stop) }, MODEL_SERVER);
  const { runs, failure } = await runModel(server, {
    ...{ runs: Number(values.runs), seed: Number(values.seed) },
    ...{ path: values.path, replayPath: values.replay },
  });
  console.log(failure ?? `${runs} runs, none failed; seed ${values.seed}`);
  process.exitCode = failure === undefined ? 0 : 1;
} finally {
  for (const stop of stops.toReversed()) await stop();
}
