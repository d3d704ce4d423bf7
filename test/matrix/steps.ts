// The steps of a cell of the matrix, each with the one sentence that says why it does not work.

import { setTimeout as sleep } from 'node:timers/promises';
import { createToolEnvironment } from '../../src/config/load.js';
import { backUp } from '../../src/postgres/admin/backup.js';
import { diagnose } from '../../src/postgres/admin/doctor/doctor.js';
import { MaintenanceError } from '../../src/postgres/admin/maintenance-error.js';
import { restore } from '../../src/postgres/admin/restore.js';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createApi } from '../helpers/api.js';
import type { Teardown, TestDatabase } from '../helpers/database.js';
import { startGateway, type TestGateway } from '../helpers/gateway.js';

/** `works`, a reason in a sentence, or what is wrong with the product: `WRONG: …`. */
export type Outcome = string;
export const WORKS = 'works';

/** The longest that a step may take before it counts as without an answer. */
const PATIENCE_MS = 20_000;
const POLL_MS = 50;
/** A reason that lasts so long is an explanation. */
const PERSISTENT_MS = 3_000;

/** Every cell's parts; the steps end what they start. */
export interface Cell {
  readonly database: TestDatabase;
  readonly folder: string;
  /** Undefined if this machine has no pg_dump for the server. */
  readonly hasTools: boolean;
}

/** Starts a gateway, as `serve` does: with the migrations first. */
export async function startCell(t: Teardown, { database }: Cell): Promise<TestGateway | Outcome> {
  try {
    await withPatience(migrate(database.config, { mode: 'apply' }));
  } catch (error) {
    return describeError(error);
  }
  return startGateway(t, database, { waitReady: false });
}

/** Waits until the gateway is ready, or says why not. */
export async function untilReady({ url }: TestGateway): Promise<Outcome> {
  const beganMs = performance.now();
  const untilMs = beganMs + PATIENCE_MS;
  let detail = '';
  while (performance.now() < untilMs) {
    const response = await fetch(`${url}/health/ready`);
    if (response.ok) return WORKS;
    detail = ((await response.json()) as { detail: string }).detail;
    // While it starts it has a reason too, which is no explanation.
    const isStarting = detail.includes('being read') || detail.includes('not been reached');
    if (!isStarting && performance.now() - beganMs > PERSISTENT_MS) return detail;
    await sleep(POLL_MS);
  }
  return detail;
}

/** Assigns a VM through the gateway, and waits until its agent has the command. */
export async function change(gateway: TestGateway, email = 'ada@x.y'): Promise<Outcome> {
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1').catch(() => undefined);
  if (agent === undefined) return 'the gateway accepts no agent, because it is not ready';
  const assigned = agent.next(({ type, vm }) => {
    const row = vm as { email?: string; crd_command?: string } | undefined;
    return type === 'assignment' && row?.email === email && row.crd_command === email;
  });
  assigned.catch(() => undefined);
  try {
    const body = { status: 'in-use', email, crd_command: email, reassign: true };
    const outcome = await request(gateway, 'PATCH', '/v1/vms/vm-1', body);
    if (outcome !== WORKS) return outcome;
    await withPatience(assigned);
    return WORKS;
  } catch {
    return await explainSilence(gateway, 'the change does not reach the agent');
  } finally {
    agent.ws.terminate();
  }
}

/** Deletes a VM through the gateway, and waits until a dashboard has it. */
export async function remove(gateway: TestGateway, hostname = 'vm-2'): Promise<Outcome> {
  const dashboard = await gateway.connect('/v1/vms', 'dashboard').catch(() => undefined);
  if (dashboard === undefined) return 'the gateway accepts no dashboard, because it is not ready';
  try {
    const outcome = await request(gateway, 'DELETE', `/v1/vms/${hostname}`);
    if (outcome !== WORKS) return outcome;
    const deleted = dashboard.next(({ changes }) =>
      ((changes ?? []) as { op: string; hostname: string }[]).some(
        (one) => one.op === 'delete' && one.hostname === hostname,
      ),
    );
    deleted.catch(() => undefined);
    await withPatience(deleted);
    return WORKS;
  } catch {
    return await explainSilence(gateway, 'the deletion does not reach the dashboard');
  } finally {
    dashboard.ws.terminate();
  }
}

/** What the doctor finds, in the order in which it is reported. */
export async function consult({ database: { config } }: Cell): Promise<Outcome> {
  try {
    const options = { connection: config, queries: config, isRemote: false };
    const { findings } = await withPatience(diagnose(options));
    const ids = findings.map(({ id }) => id).filter((id) => !ALWAYS_FOUND.includes(id));
    return ids.length === 0 ? WORKS : `finds ${ids.join(', ')}`;
  } catch (error) {
    return describeError(error);
  }
}

/** Findings about the server of the tests, and not about the world. */
const ALWAYS_FOUND: readonly string[] = ['fsync_off', 'full_page_writes_off', 'server_outdated'];

/** @returns the outcomes of `backup --verify` and of `restore --replace`. */
export async function backUpAndRestore(cell: Cell): Promise<readonly [Outcome, Outcome]> {
  if (!cell.hasTools) return [NO_TOOLS, NO_TOOLS];
  const options = {
    connection: cell.database.config,
    environment: createToolEnvironment(),
    signal: AbortSignal.timeout(3 * PATIENCE_MS),
  };
  let file: string;
  try {
    const made = await backUp({
      ...options,
      folder: cell.folder,
      ...{ keepDays: 7, gzip: false, verify: true, uploadCommand: undefined, now: new Date() },
    });
    file = made.file;
  } catch (error) {
    return [describeError(error), 'there is no backup'];
  }
  try {
    await restore({ ...options, file, replace: true, dryRun: false });
    return [WORKS, WORKS];
  } catch (error) {
    return [WORKS, describeError(error)];
  }
}

const NO_TOOLS = 'not run: no pg_dump for this server here';

async function request(
  gateway: TestGateway,
  method: string,
  path: string,
  body?: unknown,
): Promise<Outcome> {
  const api = await createApi(gateway);
  const { status, json } = await withPatience(api(method, path, body));
  if (status < 300) return WORKS;
  const { code = '', detail = '' } = json as { code?: string; detail?: string };
  return code === 'internal_error' ? `WRONG: ${detail}` : `${status} ${code}: ${detail}`;
}

async function explainSilence({ url }: TestGateway, what: string): Promise<Outcome> {
  const response = await fetch(`${url}/health/ready`);
  if (response.ok) return `WRONG: ${what}, and the gateway is ready`;
  return ((await response.json()) as { detail: string }).detail;
}

/** A failure that the product explains is a sentence; any other is a defect. */
function describeError(error: unknown): Outcome {
  if (!(error instanceof Error)) return `WRONG: ${String(error)}`;
  const text = error.message.split('\n')[0] ?? '';
  const isExplained = error instanceof MaintenanceError || error.name === 'SchemaError';
  return isExplained ? text : `WRONG: ${error.name}: ${text}`;
}

async function withPatience<T>(work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  try {
    const late = sleep(PATIENCE_MS, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`no answer within ${PATIENCE_MS / 1_000} s`);
    });
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}
