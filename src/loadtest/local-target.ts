// A database and a gateway that the load test starts, and removes when it ends.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  startEmbedded,
  type EmbeddedConnection,
  type EmbeddedServer,
} from '../postgres/embedded/server.js';
import type { Figures } from './figures.js';
import type { ProbeHandlers } from './probe.js';
import { Remote } from './rpc.js';
import type { Target } from './target.js';

/** The test measures the gateway, not the disk: this database need not survive a crash. */
const NOT_DURABLE = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

const MAIN = new URL('../main.js', import.meta.url);
const PROBE = new URL('./probe.js', import.meta.url);
const POLL_MS = 20;

/** @throws EmbeddedError if no PostgreSQL can be started. */
export async function startLocalTarget(): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), 'lablink-loadtest-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  let server: EmbeddedServer | undefined;
  try {
    server = await startEmbedded({ dataDir: folder, settings: NOT_DURABLE });
    return await withGateway(server, folder, remove);
  } catch (error) {
    await server?.stop();
    await remove();
    throw error;
  }
}

async function withGateway(
  server: EmbeddedServer,
  folder: string,
  remove: () => Promise<void>,
): Promise<Target> {
  const secret = randomBytes(32).toString('base64url');
  const settings = {
    DATABASE_URL: formatUrl(server.connection),
    DATA_DIR: folder,
    JWT_SECRET: secret,
    LOG_LEVEL: 'error',
  };
  let gateway = await GatewayProcess.start({ ...settings, PORT: '0' });
  const { url } = gateway;
  let before: Figures | undefined;
  return {
    url,
    database: server.connection,
    credentials: { kind: 'secret', secret },
    figures: async () => {
      // There are no figures while the gateway restarts.
      const figures = await gateway.figures().catch(() => undefined);
      return figures && { ...figures, cpuUs: figures.cpuUs + (before?.cpuUs ?? 0) };
    },
    memory: () => gateway.memory(),
    readVmStatus: () => Promise.resolve(200),
    restart: async (how) => {
      const figures = await gateway.figures();
      before = { ...figures, cpuUs: figures.cpuUs + (before?.cpuUs ?? 0) };
      await gateway.end(how === 'gracefully' ? 'SIGTERM' : 'SIGKILL');
      gateway = await GatewayProcess.start({ ...settings, PORT: new URL(url).port });
    },
    stop: async () => {
      await gateway.end('SIGKILL');
      await server.stop();
      await remove();
    },
  };
}

function formatUrl({ host, port, user, database }: EmbeddedConnection): string {
  return `postgresql://${user}@localhost/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}

class GatewayProcess {
  private constructor(
    private readonly remote: Remote<ProbeHandlers>,
    readonly url: string,
  ) {}

  /** Resolves when the gateway is ready. */
  static async start(env: Readonly<Record<string, string>>): Promise<GatewayProcess> {
    const remote = Remote.start<ProbeHandlers>(MAIN, {
      args: ['serve'],
      execArgv: ['--expose-gc', '--import', PROBE.href],
      env,
    });
    // `serve` prints this line when it accepts connections.
    const url = await remote.waitForOutput(/Gateway +(http\S+)\s/);
    while (!(await fetch(`${url}/health/ready`)).ok) await sleep(POLL_MS);
    return new GatewayProcess(remote, url);
  }

  figures(): Promise<Figures> {
    return this.remote.call('figures');
  }

  async memory(): Promise<number> {
    return (await this.remote.call('memory')).rss;
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.remote.child.kill(signal);
    await this.remote.exited;
  }
}
