// The subcommand `healthcheck`: requests the health of a gateway, for programs
// that restart containers or route traffic. Prints one line; exit code 0 if it is healthy, else 1.

import { Command } from 'commander';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { ExitCode } from './exit.js';

/** A gateway that needs longer to answer counts as unhealthy. */
const TIMEOUT_MS = 5_000;

const Health = Type.Object({ status: Type.String() });
const Unhealthy = Type.Object({ detail: Type.String() });

interface HealthcheckOptions {
  readonly live?: true;
  readonly url?: string;
}

/** @param findGateway finds the gateway; called when the command runs. */
export function createHealthcheckCommand(
  findGateway: () => Promise<{ readonly url: string }>,
): Command {
  return new Command('healthcheck')
    .description('ask a gateway whether it is ready; exit code 0 or 1')
    .option('--live', 'ask only whether the process is alive, which needs no database')
    .option('--url <url>', 'the gateway (default: LABLINK_URL, or the one that runs here)')
    .exitOverride()
    .action(async ({ live, url: given }: HealthcheckOptions) => {
      const url = given?.replace(/\/+$/, '') ?? (await findGateway()).url;
      const failure = await requestHealth(`${url}/health/${live ? 'live' : 'ready'}`);
      if (failure === undefined) process.stdout.write(live ? 'live\n' : 'ready\n');
      else process.stderr.write(`${failure}\n`);
      process.exitCode = failure === undefined ? ExitCode.ok : ExitCode.finding;
    });
}

/** Returns why the gateway is unhealthy, in one line; undefined if it is healthy. */
async function requestHealth(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const body: unknown = await response.json();
    if (response.ok && Value.Check(Health, body)) return undefined;
    return Value.Check(Unhealthy, body) ? body.detail : `${url} is not a gateway`;
  } catch (error) {
    return `${url} does not answer: ${readReason(error)}`;
  }
}

/** Reads the reason of a failed `fetch`, which is in the cause of its error. */
function readReason(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
