// Everyone asks for a VM: how many are given in a second over HTTP, held against a bare loop of the same statements,
// and how soon the VM's agent is told.

import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import type { Asked, AssignerHandlers } from './assigner.js';
import { Crowd } from './crowd.js';
import type { Bench } from './pass.js';
import { markdownTable } from './report.js';
import { Remote } from './rpc.js';
import { seed } from './rows.js';
import { Server } from './servers.js';
import { mergeTallies, type TallyReport } from './tally.js';

export const ASSIGNMENTS = 'assignments';
/** How many VMs there are, each with its agent, and how many persons. */
export const VMS = 1_000;
/** As many as the gateway's pool has connections. */
const AT_ONCE = 10;
const ROUNDS = 4;

const SCENARIO = {
  ...{ name: ASSIGNMENTS, agents: VMS, dashboards: 0, rows: VMS },
  load: { kind: 'none' },
} as const;

interface Round {
  readonly asked: Asked;
  /** What the agents were told; undefined where there are none. */
  readonly agents: TallyReport | undefined;
}

/** Prints the table; returns how many faults it found and printed. */
export async function runAssignments(bench: Bench): Promise<number> {
  await seed(bench.client, VMS);
  const bare: Round[] = [];
  const gateway: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // There and back, so that what changes on the machine meanwhile meets both.
    const order = round % 2 === 0 ? ([bare, gateway] as const) : ([gateway, bare] as const);
    for (const rounds of order) {
      rounds.push(rounds === bare ? await bareRound(bench) : await gatewayRound(bench));
    }
  }
  console.log(tableText(bare, gateway));
  const faults = [...bare, ...gateway].flatMap(faultsOf);
  for (const fault of faults) console.log(`${fault}.\n`);
  return faults.length;
}

async function bareRound(bench: Bench): Promise<Round> {
  const assigner = Remote.start<AssignerHandlers>(bench.pathOf('assigner'), { env: bench.env });
  try {
    const ask = async (): Promise<Asked> => {
      await free(bench);
      return assigner.call('bare', { count: VMS, atOnce: AT_ONCE });
    };
    await ask(); // Warms up.
    return { asked: await ask(), agents: undefined };
  } finally {
    await assigner.stop();
  }
}

async function gatewayRound(bench: Bench): Promise<Round> {
  const assigner = Remote.start<AssignerHandlers>(bench.pathOf('assigner'), { env: bench.env });
  const crowd = new Crowd(bench.pathOf('clients'), SCENARIO, { env: bench.env });
  let server: Server | undefined;
  try {
    server = await Server.start('gateway', bench, ASSIGNMENTS);
    const url = server.url.replace('ws', 'http');
    await crowd.connect({ url: server.url, tellsState: true });
    const ask = async (): Promise<Asked> => {
      await free(bench);
      await crowd.quiet();
      await crowd.record();
      const asked = await assigner.call('overHttp', { url, count: VMS, atOnce: AT_ONCE });
      await crowd.quiet();
      return asked;
    };
    await ask(); // Warms up.
    const asked = await ask();
    return { asked, agents: (await crowd.report()).agents };
  } finally {
    await Promise.all([crowd.stop(), assigner.stop(), server?.stop()]);
  }
}

/** Nobody has a VM any more; dead rows would slow the rounds that come later. */
async function free({ client }: Bench): Promise<void> {
  await client.query(`UPDATE vms SET status = 'available', email = NULL, crd_command = NULL`);
  await client.query('VACUUM ANALYZE vms');
}

function tableText(bare: readonly Round[], gateway: readonly Round[]): string {
  const [ours, theirs] = [perSecond(gateway), perSecond(bare)];
  const told = mergeTallies(gateway.flatMap(({ agents }) => agents ?? []));
  const histogram = decodeFromCompressedBase64(told.histogram);
  const ms = (percentile: number): string =>
    (histogram.getValueAtPercentile(percentile) / 1e3).toFixed(2);
  const lines = [
    ['', 'assignments/s', 'agents ms p50', 'agents ms p99'],
    ['pg loop', theirs.toFixed(0), '', ''],
    ['gateway', ours.toFixed(0), ms(50), ms(99)],
    ['gateway / pg loop', `× ${(ours / theirs).toFixed(2)}`, '', ''],
  ];
  const heading = `### ${ASSIGNMENTS}: ${VMS} agents, ${VMS} persons, ${AT_ONCE} ask at a time, ${ROUNDS} times`;
  return [heading, '', ...markdownTable(lines), ''].join('\n');
}

/** Over all rounds. */
function perSecond(rounds: readonly Round[]): number {
  const tookUs = rounds.reduce((sum, { asked }) => sum + asked.tookUs, 0);
  return (rounds.length * VMS * 1e6) / tookUs;
}

/** What went wrong, in words: speed is no excuse for a person without a VM, or a VM that was not told. */
function faultsOf({ asked, agents }: Round): string[] {
  const faults: string[] = [];
  if (asked.given !== VMS) faults.push(`${asked.given} of ${VMS} persons were given a VM`);
  if (agents !== undefined && agents.delivered !== VMS) {
    faults.push(`${agents.delivered} of ${VMS} agents were told of their person`);
  }
  return faults;
}
