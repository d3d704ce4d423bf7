// Finds a Python for the tests of the Python agent.

import { execFileSync } from 'node:child_process';

/** Returns a Python that has the package `websockets`; undefined if there is none. */
export function findPython(): string | undefined {
  return [process.env.TEST_PYTHON, 'python3', '/usr/bin/python3'].find((program) => {
    try {
      execFileSync(program ?? '', ['-c', 'import websockets'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}
