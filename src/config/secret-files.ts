// Reads secrets from files, as container platforms and systemd provide them: NAME_FILE names a file
// that contains the value of NAME. The value is validated like that of the variable, and never
// shown.

import { readFileSync } from 'node:fs';
import { quoteValue } from './config-error.js';
import { isSet } from './environment.js';
import { VARIABLES } from './variables.js';

const SECRETS = VARIABLES.filter(({ about }) => about.secret).map(({ name }) => name);

/**
 * Returns the environment, in which each secret with a NAME_FILE has the content of that file. Adds
 * what is wrong to `problems`.
 */
export function readSecretFiles(env: NodeJS.ProcessEnv, problems: string[]): NodeJS.ProcessEnv {
  const read: NodeJS.ProcessEnv = {};
  for (const name of SECRETS) {
    const path = env[`${name}_FILE`];
    if (path === undefined || path === '') continue;
    if (isSet(env, name)) problems.push(`${name} and ${name}_FILE are both set; expected one`);
    else read[name] = readSecretFile(path, `${name}_FILE`, problems);
  }
  return { ...env, ...read };
}

function readSecretFile(path: string, variable: string, problems: string[]): string | undefined {
  try {
    // Editors and `openssl rand` end the last line with a line break, and some editors begin the
    // file with a byte-order mark.
    const secret = readFileSync(path, 'utf8').replace(/^\uFEFF|\r?\n$/g, '');
    if (secret !== '') return secret;
    problems.push(`${variable} ${quoteValue(path)} is an empty file; expected a secret in it`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    problems.push(`${variable} ${quoteValue(path)} cannot be read (${code})`);
  }
  return undefined;
}
