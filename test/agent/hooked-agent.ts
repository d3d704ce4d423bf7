// The subcommand `agent` as a process that can be killed at any of its steps: before and after everything it does for
// the outside to see.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Teardown } from '../helpers/database.js';
import { run, type Program } from '../helpers/process.js';

const builtOf = (name: string): string => JSON.stringify(pathToFileURL(resolve('dist', name)).href);

/** It says each step on stderr, and with KILL_AT=n the n-th of them, from 1, is its last. */
const PROGRAM = `
  import { Agent } from ${builtOf('agent/agent.js')};
  import { agentCommand } from ${builtOf('cli/agent.js')};
  import { exitCodeOf, explain } from ${builtOf('cli/exit.js')};
  import { writeSync } from 'node:fs';
  let count = 0;
  const step = (name) => {
    writeSync(2, 'step ' + ++count + ' ' + name + '\\n');
    if (count !== Number(process.env.KILL_AT)) return;
    process.kill(process.pid, 'SIGKILL');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
  const hooked = (name, part) => (...args) => {
    step('before ' + name);
    const done = (result) => {
      step('after ' + name);
      return name === 'launch' ? { ...result, begin: begun(result.begin) } : result;
    };
    const result = part(...args);
    return result instanceof Promise ? result.then(done) : done(result);
  };
  const begun = (begin) => () => {
    step('before begin');
    const over = begin();
    step('after begin');
    return over.then((exit) => (step('after the end'), exit));
  };
  const create = Agent.create;
  Agent.create = (parts, journal) => {
    const steps = ['save', 'launch', 'acknowledge', 'failVm', 'report', 'register'];
    const own = steps.map((name) => [name, hooked(name, parts[name])]);
    return create.call(Agent, { ...parts, ...Object.fromEntries(own) }, journal);
  };
  try {
    await agentCommand().parseAsync(process.argv.slice(1), { from: 'user' });
  } catch (error) {
    console.error(explain(error));
    process.exitCode = exitCodeOf(error);
  }
`;

/** @param killAt at which of its steps it is killed; by default at none. */
export function runHookedAgent(t: Teardown, args: readonly string[], killAt = 0): Program {
  const node = ['--input-type=module', `--eval=${PROGRAM}`, '--'];
  const env = { KILL_AT: String(killAt) };
  return run(t, process.execPath, [...node, ...args], { env });
}
