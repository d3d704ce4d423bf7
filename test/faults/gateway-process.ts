// A gateway as a process of its own, to be killed and started again on the same port, as systemd or
// an orchestrator does.

import type pg from 'pg';
import { signToken } from '../../src/gateway/auth/token.js';
import type { Role } from '../../src/gateway/auth/roles.js';
import type { Teardown } from '../helpers/database.js';
import { runCommand, type Program } from '../helpers/process.js';
import { connect, type RawClient } from '../helpers/raw-client.js';

export const GATEWAY_SECRET = 'a secret that only tests know, of enough bytes';

/** Runs `serve` on this database; resolves when it is ready. */
export async function startGatewayProcess(
  t: Teardown,
  { host, port, user, database }: pg.ClientConfig,
  env: NodeJS.ProcessEnv = {},
): Promise<GatewayProcess> {
  const gateway = new GatewayProcess(t, {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    JWT_SECRET: GATEWAY_SECRET,
    ...env,
  });
  await gateway.start();
  return gateway;
}

export class GatewayProcess {
  #program: Program | undefined;
  #url = '';

  constructor(
    private readonly t: Teardown,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  get url(): string {
    return this.#url;
  }

  /** The log since the last start. */
  get log(): string {
    return this.#program?.stderr ?? '';
  }

  /** Starts it, the second time on the port it had; resolves when it is ready. */
  async start(): Promise<void> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port;
    const program = runCommand(this.t, ['serve'], { ...this.env, PORT: port });
    this.#program = program;
    this.#url = await program.until(({ stdout }) => /Gateway +(http:\S+)/.exec(stdout)?.[1]);
    while (!(await fetch(`${this.#url}/health/ready`)).ok) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** By SIGKILL, in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.#program?.child.kill('SIGKILL');
    await this.#program?.exited;
  }

  /** Stops it and lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#program?.child.kill(signal);
  }

  get pid(): number {
    return this.#program?.child.pid ?? 0;
  }

  /** By SIGTERM, as an operator does; resolves with how it ended, when it has drained. */
  async stop(): Promise<{ code: number | null } | undefined> {
    this.#program?.child.kill('SIGTERM');
    return this.#program?.exited;
  }

  /** A socket at the path, once it is open; `url` may be that of a proxy. */
  async connect(
    path: string,
    role: Role,
    sub = 'tester',
    url: string = this.#url,
  ): Promise<RawClient> {
    return connect(url.replace('http', 'ws') + path, [], {
      headers: { authorization: `Bearer ${await this.token(role, sub)}` },
    });
  }

  async token(role: Role, sub = 'tester'): Promise<string> {
    return signToken({ role, sub, ttlSeconds: 3600 }, GATEWAY_SECRET);
  }
}
