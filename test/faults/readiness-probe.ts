// Verifies that readiness is true: after a committed change, a gateway that says it is ready must
// have that change within seconds, or say that it is not ready.

import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from '../helpers/database.js';
import type { GatewayProcess } from './gateway-process.js';

const HOSTNAME = 'probe';
const PAUSE_MS = 250;
/** How long a change may take while faults go on and the machine is busy. */
const PATIENCE_MS = 10_000;

export class ReadinessProbe {
  /** How often a gateway said that it was ready, and had the change. */
  ready = 0;
  readonly #falsely: string[] = [];
  #stopped = false;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(private readonly database: Pick<TestDatabase, 'query'>) {}

  static async start(
    database: Pick<TestDatabase, 'query'>,
    gateways: readonly GatewayProcess[],
  ): Promise<ReadinessProbe> {
    const probe = new ReadinessProbe(database);
    await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [HOSTNAME]);
    probe.#running = Promise.all(gateways.map((gateway) => probe.#watch(gateway)));
    return probe;
  }

  /** Ends the probe, and returns when readiness was false. */
  async stop(): Promise<readonly string[]> {
    this.#stopped = true;
    await this.#running;
    await this.database.query('DELETE FROM vms WHERE hostname = $1', [HOSTNAME]);
    return this.#falsely;
  }

  async #watch(gateway: GatewayProcess): Promise<void> {
    while (!this.#isStopped()) {
      await sleep(PAUSE_MS);
      // A killed gateway answers nothing, which is no claim to be ready.
      await this.#probe(gateway).catch(() => undefined);
    }
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  async #probe(gateway: GatewayProcess): Promise<void> {
    const [row] = await this.database.query<{ version: string }>(
      'UPDATE vms SET updated_at = now() WHERE hostname = $1 RETURNING version',
      [HOSTNAME],
    );
    const version = Number(row?.version);
    if (!(await isReady(gateway))) return;
    const untilMs = performance.now() + PATIENCE_MS;
    while (performance.now() < untilMs) {
      if ((await readVersion(gateway)) >= version) {
        this.ready++;
        return;
      }
      if (!(await isReady(gateway))) return;
      await sleep(PAUSE_MS);
    }
    this.#falsely.push(`${gateway.url} was ready without version ${version} of ${HOSTNAME}`);
  }
}

const isReady = async ({ url }: GatewayProcess): Promise<boolean> =>
  (await fetch(`${url}/health/ready`)).ok;

/** From the memory of the gateway: any version but 0 is news. */
async function readVersion(gateway: GatewayProcess): Promise<number> {
  const headers = { authorization: `Bearer ${await gateway.token('admin', HOSTNAME)}` };
  const response = await fetch(`${gateway.url}/v1/vms/${HOSTNAME}?wait=1&version=0`, { headers });
  if (!response.ok) return 0;
  return ((await response.json()) as { version?: number }).version ?? 0;
}
