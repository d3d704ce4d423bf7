// What is run for an assignment: a program that is told of it, or a shell that runs what it says.

import type { AssignedVm } from './agent-state.js';
import { SCRIPT, type Command } from './command.js';

/** One string of arguments or environment may have 131,072 bytes on Linux (MAX_ARG_STRLEN), its name and NUL included. */
const MAX_STRING_BYTES = 128_000;

/** @param frame the message that the assignment came with. */
export type CommandOf = (vm: AssignedVm, frame: string) => Command;

/** `--exec`: the program gets the assignment in its environment and, whole, on stdin. No shell ever sees it. */
export function programCommand(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): CommandOf {
  return (vm, frame) => ({
    program,
    args,
    env: { ...environment, ...variablesOf(vm) },
    input: `${frame}\n`,
  });
}

/** `--shell`: `/bin/sh -c` with the row's command, or, where that is too long for an argument, with a file of it. */
export function shellCommand(environment: NodeJS.ProcessEnv): CommandOf {
  return (vm) => {
    const command = vm.crd_command ?? '';
    const env = { ...environment, ...variablesOf(vm) };
    const shell = { program: '/bin/sh', env };
    if (Buffer.byteLength(command) <= MAX_STRING_BYTES) {
      return { ...shell, args: ['-c', command] };
    }
    return { ...shell, args: [SCRIPT], script: command };
  };
}

/** A command that is too long for a variable is on stdin alone. */
function variablesOf(vm: AssignedVm): NodeJS.ProcessEnv {
  const { email, crd_command: command } = vm;
  const fits = typeof command === 'string' && Buffer.byteLength(command) <= MAX_STRING_BYTES;
  return {
    LABLINK_ASSIGNMENT_ID: vm.assignment_id,
    LABLINK_HOSTNAME: vm.hostname,
    ...(typeof email === 'string' ? { LABLINK_EMAIL: email } : {}),
    ...(fits ? { LABLINK_CRD_COMMAND: command } : {}),
  };
}
