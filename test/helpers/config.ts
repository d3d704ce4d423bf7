// Configurations of environments for tests, and the problems of those that are refused.

import { ConfigError, loadConfig } from '../../src/config/load.js';

/** Long enough to sign with. */
export const SECRET = 'a secret for tests that is long enough';

/** The problems that `env` is refused with; empty when it is accepted. */
export function findProblems(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
