// The rules that both agents share, as a table of cases: each agent must do what the table says.

import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { readCases, runReducerCase, runStateFileCase } from './cases.js';
import { findPython } from './python.js';

const cases = await readCases();

t.test('the agent in TypeScript', async (t) => {
  for (const reducerCase of cases.reducer)
    t.same(runReducerCase(reducerCase), reducerCase.steps, reducerCase.name);
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const stateFileCase of cases.stateFile) {
    const accepted = await runStateFileCase(folder, stateFileCase);
    t.equal(accepted, stateFileCase.accepted, stateFileCase.name);
  }
});

const python = findPython();
const skip = python === undefined && 'no Python with websockets';

t.test('the agent in Python', { skip }, (t) => {
  const program = join('test', 'agent', 'run_cases.py');
  const output = execFileSync(python ?? '', [program, 'src/agent/cases.json'], {
    encoding: 'utf8',
  });
  const results = JSON.parse(output) as { reducer: string[][][]; stateFile: boolean[] };
  cases.reducer.forEach(({ name, steps }, index) => t.same(results.reducer[index], steps, name));
  cases.stateFile.forEach(({ name, accepted }, index) =>
    t.equal(results.stateFile[index], accepted, name),
  );
  t.end();
});
