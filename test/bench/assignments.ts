// Every user requests a VM. Measures assignments per second over HTTP, compared with a bare loop of
// the same statements, and how soon the VM's agent receives its assignment.

import { addReports, createEmptyReport } from '../../src/loadtest/virtual-users-report.js';
import { VirtualUsers } from '../../src/loadtest/virtual-users.js';
import { Remote } from '../../src/loadtest/rpc.js';
import { removeRows, insertRows } from '../../src/loadtest/rows.js';
import { formatMarkdownTable } from '../../src/table.js';
import { CountersSum } from '../../src/loadtest/counters.js';
import type { Asked, AssignerHandlers } from './assigner.js';
import { CREDENTIALS, Server, type Bench } from './servers.js';

export const ASSIGNMENTS = 'assignments';
/** The number of VMs, each with its agent, and the number of users. */
export const VMS = 1_000;
/** As many as the gateway's pool has connections. */
const AT_ONCE = 10;
const ROUNDS = 4;

const ASSIGNER = new URL('./assigner.js', import.meta.url);
/** How long agents are waited for. */
const DEADLINE_MS = 20_000;

interface Round {
  readonly asked: Asked;
  /** The latencies of agents; undefined where there are none. */
  readonly agents: CountersSum | undefined;
}

/** Prints the table; returns how many faults it found and printed. */
export async function runAssignments(bench: Bench, print: (text: string) => void): Promise<number> {
  await removeRows(bench.client);
  await insertRows(bench.client, VMS);
  const bare: Round[] = [];
  const gateway: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // There and back, so that what changes on the machine meanwhile meets both.
    const order = round % 2 === 0 ? ([bare, gateway] as const) : ([gateway, bare] as const);
    for (const rounds of order) {
      rounds.push(rounds === bare ? await bareRound(bench) : await gatewayRound(bench));
    }
  }
  const faults = [...bare, ...gateway].flatMap(findFaults);
  print(tableText(bare, gateway));
  for (const fault of faults) print(`${fault}.\n`);
  return faults.length;
}

async function bareRound(bench: Bench): Promise<Round> {
  const assigner = Remote.start<AssignerHandlers>(ASSIGNER);
  try {
    const ask = async (): Promise<Asked> => {
      await free(bench);
      return assigner.call('bare', { database: bench.database, count: VMS, atOnce: AT_ONCE });
    };
    await ask(); // Warms up.
    return { asked: await ask(), agents: undefined };
  } finally {
    await assigner.stop();
  }
}

async function gatewayRound(bench: Bench): Promise<Round> {
  const assigner = Remote.start<AssignerHandlers>(ASSIGNER);
  const crowd = new VirtualUsers({ agents: VMS, dashboards: 0, rows: VMS });
  let server: Server | undefined;
  try {
    server = await Server.start('gateway', bench, ASSIGNMENTS);
    await crowd.join(server.endpoint, CREDENTIALS);
    await crowd.connect(Infinity);
    await crowd.waitUntilConnected(DEADLINE_MS);
    const { url } = server;
    const ask = async (): Promise<Asked> => {
      await free(bench);
      await crowd.waitUntilQuiet(DEADLINE_MS);
      await crowd.startRecording();
      const asked = await assigner.call('overHttp', {
        url,
        count: VMS,
        atOnce: AT_ONCE,
      });
      await crowd.waitUntilQuiet(DEADLINE_MS);
      return asked;
    };
    await ask(); // Warms up.
    const asked = await ask();
    const report = createEmptyReport();
    addReports(report, await crowd.takeReports());
    return { asked, agents: report.agents };
  } finally {
    await Promise.all([crowd.stop(), assigner.stop(), server?.stop()]);
  }
}

/** Releases every VM; dead rows would slow the rounds that come later. */
async function free({ client }: Bench): Promise<void> {
  await client.query(`UPDATE vms SET status = 'available', email = NULL, crd_command = NULL`);
  await client.query('VACUUM ANALYZE vms');
}

function tableText(bare: readonly Round[], gateway: readonly Round[]): string {
  const [ours, theirs] = [perSecond(gateway), perSecond(bare)];
  const delivered = new CountersSum();
  for (const { agents } of gateway) if (agents !== undefined) delivered.merge(agents);
  const { p50, p99 } = delivered.latencies.percentiles();
  const lines = [
    ['', 'assignments/s', 'agents ms p50', 'agents ms p99'],
    ['pg loop', theirs.toFixed(0), '', ''],
    ['gateway', ours.toFixed(0), p50.toFixed(2), p99.toFixed(2)],
    ['gateway / pg loop', `× ${(ours / theirs).toFixed(2)}`, '', ''],
  ];
  const heading = `### ${ASSIGNMENTS}: ${VMS} agents, ${VMS} users, ${AT_ONCE} requests at a time, ${ROUNDS} times`;
  return [heading, '', ...formatMarkdownTable(lines), ''].join('\n');
}

/** Over all rounds. */
function perSecond(rounds: readonly Round[]): number {
  const tookUs = rounds.reduce((sum, { asked }) => sum + asked.tookUs, 0);
  return (rounds.length * VMS * 1e6) / tookUs;
}

/**
 * The failures of a round, in words: speed is no excuse for a person without a VM, or for a VM that
 * received no assignment.
 */
function findFaults({ asked, agents }: Round): string[] {
  const faults: string[] = [];
  if (asked.given !== VMS) faults.push(`${asked.given} of ${VMS} users got a VM`);
  if (agents !== undefined && agents.delivered !== VMS) {
    faults.push(`${agents.delivered} of ${VMS} agents received their assignment`);
  }
  return faults;
}
