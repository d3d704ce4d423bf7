// The servers that are measured: the naive bridge and the gateway, each a process of its own with a
// probe in it.

import type pg from 'pg';
import { createEndpoint, type Endpoint } from '../../src/loadtest/endpoint.js';
import type { Credentials } from '../../src/loadtest/target.js';
import type { MemorySample, ProbeHandlers } from '../../src/loadtest/probe.js';
import { Remote } from '../../src/loadtest/rpc.js';
import type { Contender } from './scenarios.js';

/** The secret that signs the tokens of a benchmark's clients. */
export const CREDENTIALS = {
  kind: 'secret',
  secret: 'a secret that only benchmarks know, of enough bytes',
} as const satisfies Credentials;

/** The files that servers are started from. */
export interface Workshop {
  readonly database: pg.ClientConfig;
  /** Where the gateway leaves its CPU profiles, if anywhere. */
  readonly profileDir: string | undefined;
}

/** A database that is measured. */
export interface Measured {
  readonly database: pg.ClientConfig;
  /** Connected as the table's owner. */
  readonly client: pg.Client;
  /** Whether triggers of the product stamp each change; without them the writer does. */
  readonly hasTriggers: boolean;
}

/** The product's database, the guide's, and a connection to their server. */
export interface Bench extends Workshop, Measured {
  readonly guide: Measured;
  /** Connected as the superuser, to another database. */
  readonly superuser: pg.Client;
}

/** The contender's own database in place of the product's. */
export function chooseDatabase(bench: Bench, contender: Contender): Bench {
  return contender === 'floor' || contender === 'naive' ? { ...bench, ...bench.guide } : bench;
}

const PROBE = new URL('../../src/loadtest/probe.js', import.meta.url);
const NAIVE = new URL('./naive-bridge.js', import.meta.url);
const GATEWAY = new URL('../../src/main.js', import.meta.url);
/** The line that the naive bridge prints, and the gateway in its banner. */
const LISTENING = /(http:\/\/\S+)\s/;

export class Server {
  private constructor(
    private readonly remote: Remote<ProbeHandlers>,
    /** http: */
    readonly url: string,
    readonly endpoint: Endpoint,
  ) {}

  /** @param name of the profile. */
  static async start(contender: Contender, workshop: Workshop, name: string): Promise<Server> {
    const { database, profileDir } = workshop;
    const isNaive = contender === 'naive';
    const profile =
      isNaive || profileDir === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`, `--cpu-prof-name=${name}.cpuprofile`];
    const remote = Remote.start<ProbeHandlers>(isNaive ? NAIVE : GATEWAY, {
      args: isNaive ? [] : ['serve'],
      execArgv: ['--expose-gc', '--import', PROBE.href, ...profile],
      env: isNaive ? naiveEnvironment(database) : gatewayEnvironment(database),
    });
    const url = await remote.waitForOutput(LISTENING);
    if (!isNaive) await ready(url);
    return new Server(remote, url, createEndpoint(url, !isNaive));
  }

  cpuUs(): Promise<number> {
    return this.remote.call('cpuUs');
  }

  memory(): Promise<MemorySample> {
    return this.remote.call('memory');
  }

  /** The memory that the process holds now. */
  async rss(): Promise<number> {
    return (await this.remote.call('figures')).rss;
  }

  /** In order, so that a profile is written. */
  async stop(): Promise<void> {
    this.remote.child.kill('SIGTERM');
    await this.remote.exited;
  }
}

async function ready(url: string): Promise<void> {
  while (!(await fetch(`${url}/health/ready`)).ok) await new Promise(setImmediate);
}

function naiveEnvironment({ host, port, user, database }: pg.ClientConfig) {
  return {
    PGHOST: host ?? '',
    PGPORT: String(port),
    PGUSER: user ?? '',
    PGDATABASE: database ?? '',
  };
}

function gatewayEnvironment({ host, port, user, database }: pg.ClientConfig) {
  return {
    DATABASE_URL: `postgresql://${user}@localhost/${database}?host=${encodeURIComponent(host ?? '')}&port=${port}`,
    JWT_SECRET: CREDENTIALS.secret,
    PORT: '0',
    REQUESTS_PER_MINUTE: '1000000000',
    DRAIN_SECONDS: '1',
    LOG_LEVEL: 'error',
  };
}
