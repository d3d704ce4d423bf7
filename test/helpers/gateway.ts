// A gateway for one test: on a free port, on a database of its own, ended with the test.

import { pino } from 'pino';
import {
  createGateway,
  type GatewayServer,
  type GatewayOptions,
} from '../../src/gateway/gateway.js';
import { signToken } from '../../src/gateway/auth/token.js';
import type { Role } from '../../src/gateway/auth/roles.js';
import type { Timing } from '../../src/gateway/timing.js';
import type { Teardown, TestDatabase } from './database.js';
import { connect, type RawClient } from './raw-client.js';

const SECRET = 'a secret that only tests know, of enough bytes';

/** Short enough that what a test waits for comes soon, long enough for a busy machine. */
const TIMING: Partial<Timing> = {
  sweepIntervalMs: 50,
  beatIntervalMs: 200,
  checkIntervalMs: 200,
  closeHandshakeMs: 500,
};

export interface TestGateway {
  readonly app: GatewayServer;
  readonly url: string;
  readonly database: TestDatabase;
  /** A token of this role; an agent's `sub` is its hostname. */
  token(role: Role, sub?: string): Promise<string>;
  /** A socket at the path, once it is open. */
  connect(
    path: string,
    role: Role,
    sub?: string,
    headers?: Record<string, string>,
  ): Promise<RawClient>;
  /** An answer over HTTP. */
  fetch(path: string, role?: Role, sub?: string): Promise<Response>;
  /** Resolves when `/health/ready` says so. */
  ready(): Promise<void>;
  /** Resolves when `/health/ready` says that it is not, with its reason. */
  notReady(): Promise<string>;
}

export interface TestGatewayOptions extends Partial<Omit<GatewayOptions, 'timing'>> {
  readonly timing?: Partial<Timing>;
  /** Where it listens; 127.0.0.1 by default. */
  readonly host?: string;
}

/**
 * Starts a gateway on a migrated database, and waits until it is ready unless `options` say
 * otherwise.
 */
export async function startGateway(
  t: Teardown,
  database: TestDatabase,
  options: TestGatewayOptions & { readonly waitReady?: boolean } = {},
): Promise<TestGateway> {
  const app = createGateway({
    database: database.config,
    listenDatabase: database.config,
    jwtSecrets: [SECRET],
    jwtPublicKeys: [],
    allowedOrigins: [],
    trustProxy: false,
    requestsPerMinute: 1_000_000,
    dashboardColumns: [],
    socketLimits: { total: 10_000, perAddress: 10_000, perIdentity: 10_000 },
    drainMs: 1_000,
    log: pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }),
    ...options,
    timing: { ...TIMING, ...options.timing },
  });
  t.teardown(() => app.close());
  const url = await app.listen(options.host ?? '127.0.0.1', 0);
  app.startFeed();
  const gateway = testGateway(app, url, database);
  if (options.waitReady !== false) await gateway.ready();
  return gateway;
}

function testGateway(app: GatewayServer, url: string, database: TestDatabase): TestGateway {
  const token = async (role: Role, sub = 'tester'): Promise<string> =>
    signToken({ role, sub, ttlSeconds: 3600 }, SECRET);
  const readiness = async (wanted: boolean): Promise<string> => {
    for (;;) {
      const response = await fetch(`${url}/health/ready`);
      const body = (await response.json()) as { detail?: string };
      if (response.ok === wanted) return body.detail ?? '';
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return {
    app,
    url,
    database,
    token,
    connect: async (path, role, sub, headers) =>
      connect(url.replace('http', 'ws') + path, [], {
        headers: { authorization: `Bearer ${await token(role, sub)}`, ...headers },
      }),
    fetch: async (path, role, sub) =>
      fetch(url + path, {
        headers: role === undefined ? {} : { authorization: `Bearer ${await token(role, sub)}` },
      }),
    ready: async () => {
      await readiness(true);
    },
    notReady: () => readiness(false),
  };
}
