// The subcommand `demo`: a gateway on a temporary database, and a simulated workshop on it.
// Everything is removed at the end.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { signToken, type TokenContent } from '../gateway/auth/token.js';
import { loadConfig, type Config } from '../config/load.js';
import { AGENTS, runWorkshop, type WorkshopOptions } from '../demo/workshop.js';
import { startLifecycle } from './lifecycle.js';
import { createLog, type ProcessLog } from './logger.js';
import { createSignInLink } from './sign-in-link.js';
import { startGateway } from './start-gateway.js';

/** Longer than a demo lasts; agents' tokens are signed for each connection. */
const ADMIN_TTL_SECONDS = 24 * 3_600;
const AGENT_TTL_SECONDS = 3_600;
/** Longer than a gateway's: no other command makes a link to the demo. */
const LINK_TTL_SECONDS = 3_600;

export function createDemoCommand(): Command {
  return new Command('demo')
    .description('a gateway with simulated agents and a workshop of people, to look at')
    .option('--vms <count>', 'how many VMs there are, each with an agent', parseVms, AGENTS)
    .option('--speed <factor>', 'how many times faster than real people', parseSpeed, 1)
    .action(async (pace: DemoPace) => {
      const config = loadConfig();
      await runDemo(config, createLog(config.logLevel), pace);
    });
}

type DemoPace = Pick<WorkshopOptions, 'vms' | 'speed'>;

/** @throws InvalidArgumentError */
function parseVms(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a number from 1 to 999.');
}

/** @throws InvalidArgumentError */
function parseSpeed(text: string): number {
  const speed = Number(text);
  if (/^\d{1,3}(\.\d)?$/.test(text) && speed > 0) return speed;
  throw new InvalidArgumentError('Expected a number such as 0.5, 2 or 10.');
}

/** Uses neither the database nor the secret that the environment configures. */
async function runDemo(config: Config, log: ProcessLog, pace: DemoPace): Promise<void> {
  const lifecycle = startLifecycle(log, config.drainMs);
  const secret = randomBytes(48).toString('base64url');
  const sign = (content: TokenContent): string => signToken(content, secret);
  try {
    const dataDir = await mkdtemp(join(tmpdir(), 'lablink-demo-'));
    lifecycle.onEnd(() => rm(dataDir, { recursive: true, force: true }));
    const own = { ...config, dataDir, database: undefined, listenDatabase: undefined };
    const started = await startGateway({ ...own, jwtPublicKeys: [] }, [secret], lifecycle, log);
    if (started === undefined) return;
    const { url } = started;
    const link = await createSignInLink({
      database: started.database.connections.listenDatabase,
      url,
      secret,
      content: { role: 'admin', sub: 'demo', ttlSeconds: ADMIN_TTL_SECONDS },
      codeTtlSeconds: LINK_TTL_SECONDS,
    });
    const working = runWorkshop({ ...createWorkshopOptions(url, sign), ...pace }, lifecycle.ending);
    lifecycle.onEnd(() => working);
    working.catch(lifecycle.fail);
    process.stdout.write(formatDemo(link, pace.vms));
  } catch (error) {
    lifecycle.fail(error);
  }
}

function createWorkshopOptions(
  url: string,
  sign: (content: TokenContent) => string,
): Omit<WorkshopOptions, 'vms' | 'speed'> {
  const ttlSeconds = AGENT_TTL_SECONDS;
  return {
    url,
    admin: () => sign({ role: 'admin', sub: 'workshop', ttlSeconds }),
    agent: (hostname) => sign({ role: 'agent', sub: hostname, ttlSeconds }),
  };
}

function formatDemo(link: string, vms: number): string {
  return [
    '',
    '  A workshop begins. Watch it as an admin, who may also act:',
    '',
    `  ${link}`,
    '  (good once, for an hour)',
    '',
    `  ${vms} agents that run no commands. Ctrl-C ends the demo and removes everything.`,
    '',
    '',
  ].join('\n');
}
