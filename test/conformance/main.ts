// `npm run conformance -- COMMAND ARGS…`: runs every scenario against the client that the command
// starts, and reports which it does not follow.

import { runScenario } from './run-scenario.js';
import { readScenarios } from './scenario.js';

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error('usage: npm run conformance -- COMMAND ARGS…');
  process.exit(2);
}

let failed = 0;
for (const scenario of readScenarios()) {
  const teardowns: (() => unknown)[] = [];
  try {
    await runScenario({ teardown: (fn) => teardowns.push(fn) }, [program, ...args], scenario);
    console.log(`ok      ${scenario.name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${scenario.name}\n${(error as Error).message}`);
  } finally {
    for (const teardown of teardowns.toReversed()) await teardown();
  }
}
console.log(failed === 0 ? 'The client follows every scenario.' : `${failed} scenarios failed.`);
process.exitCode = failed === 0 ? 0 : 1;
