// The subcommand `healthcheck`: asks the gateway of this environment how it is, for whoever restarts containers or
// sends it traffic. Says so in one line; exit code 0 when it is well, 1 when it is not or does not answer.

import { Command } from 'commander';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { ExitCode } from './exit.js';

/** A gateway that takes longer to say that it is well is not. */
const TIMEOUT_MS = 5_000;

const Health = Type.Object({ status: Type.String() });
const Unwell = Type.Object({ detail: Type.String() });

/** @param findGateway which gateway to ask; called when the command runs. */
export function createHealthcheckCommand(
  findGateway: () => Promise<{ readonly url: string }>,
): Command {
  return new Command('healthcheck')
    .description('ask the gateway here whether it is ready; exit code 0 or 1')
    .option('--live', 'ask only whether it lives, which needs no database')
    .exitOverride()
    .action(async ({ live }: { readonly live?: true }) => {
      const { url } = await findGateway();
      const failure = await requestHealth(`${url}/health/${live ? 'live' : 'ready'}`);
      if (failure === undefined) process.stdout.write(live ? 'live\n' : 'ready\n');
      else process.stderr.write(`${failure}\n`);
      process.exitCode = failure === undefined ? ExitCode.ok : ExitCode.finding;
    });
}

/** Why the gateway is not well, in one line; undefined when it is. */
async function requestHealth(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const body: unknown = await response.json();
    if (response.ok && Value.Check(Health, body)) return undefined;
    return Value.Check(Unwell, body) ? body.detail : `${url} is not a gateway`;
  } catch (error) {
    return `${url} does not answer: ${readReason(error)}`;
  }
}

/** `fetch` tells what happened in the cause of its error. */
function readReason(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
