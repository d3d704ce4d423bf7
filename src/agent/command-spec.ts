// How an assignment becomes a command: a program that receives the assignment, or a shell that
// runs the row's `crd_command`.

import type { AssignedVm } from './agent-state.js';
import { SCRIPT, type CommandSpec } from './command-process.js';

/**
 * The longest string for an argument or a variable. Linux allows 131,072 bytes with the name and
 * the NUL (MAX_ARG_STRLEN).
 */
const MAX_STRING_BYTES = 128_000;

/** @param frame the message with the assignment, on one line. */
export type BuildCommand = (vm: AssignedVm, frame: string) => CommandSpec;

/**
 * `--exec`: the program receives the assignment in its environment, and the whole message on stdin.
 * No shell interprets any of it.
 */
export function programCommand(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): BuildCommand {
  return (vm, frame) => ({
    program,
    args,
    env: { ...environment, ...buildVariables(vm) },
    input: `${frame}\n`,
  });
}

/**
 * `--shell`: `/bin/sh -c` with the row's command, or `/bin/sh` with a file if the command is too
 * long for an argument.
 */
export function shellCommand(environment: NodeJS.ProcessEnv): BuildCommand {
  return (vm) => {
    const command = vm.crd_command ?? '';
    const env = { ...environment, ...buildVariables(vm) };
    if (Buffer.byteLength(command) <= MAX_STRING_BYTES)
      return { program: '/bin/sh', env, args: ['-c', command] };
    return { program: '/bin/sh', env, args: [SCRIPT], script: command };
  };
}

/** A command that is too long for a variable is on stdin only. */
function buildVariables(vm: AssignedVm): NodeJS.ProcessEnv {
  const { email, crd_command: command } = vm;
  const fits = typeof command === 'string' && Buffer.byteLength(command) <= MAX_STRING_BYTES;
  return {
    LABLINK_ASSIGNMENT_ID: vm.assignment_id,
    LABLINK_HOSTNAME: vm.hostname,
    ...(typeof email === 'string' ? { LABLINK_EMAIL: email } : {}),
    ...(fits ? { LABLINK_CRD_COMMAND: command } : {}),
  };
}
