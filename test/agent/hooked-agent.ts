// The subcommand `agent` as a process that can be killed at any of its steps: before and after each
// of its effects.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Teardown } from '../helpers/database.js';
import { run, type Program } from '../helpers/process.js';

const builtUrl = (name: string): string =>
  JSON.stringify(pathToFileURL(resolve('dist', name)).href);

/** Prints each step to stderr. With KILL_AT=n the process kills itself at step n, from 1. */
const PROGRAM = `
  import { Agent } from ${builtUrl('agent/agent.js')};
  import { createAgentCommand } from ${builtUrl('cli/agent.js')};
  import { explainError, selectExitCode } from ${builtUrl('cli/exit.js')};
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
      return name === 'launch' ? { ...result, start: hookStart(result.start) } : result;
    };
    const result = part(...args);
    return result instanceof Promise ? result.then(done) : done(result);
  };
  const hookStart = (start) => () => {
    step('before start');
    const exited = start();
    step('after start');
    return exited.then((exit) => (step('after the exit'), exit));
  };
  const create = Agent.create;
  Agent.create = (parts, journal) => {
    const steps = ['save', 'launch', 'acknowledge', 'failVm', 'report', 'register'];
    const own = steps.map((name) => [name, hooked(name, parts[name])]);
    return create.call(Agent, { ...parts, ...Object.fromEntries(own) }, journal);
  };
  try {
    await createAgentCommand().parseAsync(process.argv.slice(1), { from: 'user' });
  } catch (error) {
    console.error(explainError(error));
    process.exitCode = selectExitCode(error);
  }
`;

/** @param killAt the step at which the agent is killed; 0 for none. */
export function runHookedAgent(t: Teardown, args: readonly string[], killAt = 0): Program {
  const node = ['--input-type=module', `--eval=${PROGRAM}`, '--'];
  const env = { KILL_AT: String(killAt) };
  return run(t, process.execPath, [...node, ...args], { env });
}
