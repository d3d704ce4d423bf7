// Agents as processes on a gateway, each with its own files, and a command that leaves a trace of
// each run.

import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDatabase } from '../helpers/database.js';
import type { TestGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';
import { EMPTY_JOURNAL, type Journal } from '../../src/agent/journal.js';

/** The files of one agent. */
export interface AgentFiles {
  readonly hostname: string;
  readonly folder: string;
  readonly stateFile: string;
  /** The arguments that every agent has. */
  readonly args: readonly string[];
  journal(): Promise<Journal>;
}

export async function agentFiles(
  gateway: Pick<TestGateway, 'url' | 'token'>,
  folder: string,
  hostname: string,
): Promise<AgentFiles> {
  const at = (name: string): string => join(folder, `${hostname}.${name}`);
  await writeFile(at('token'), await gateway.token('agent', hostname), { mode: 0o600 });
  const stateFile = at('state');
  return {
    hostname,
    folder,
    stateFile,
    args: [
      ...['--url', gateway.url, '--hostname', hostname],
      ...['--token-file', at('token'), '--state-file', stateFile, '--grace', '2'],
    ],
    journal: async () => {
      const text = await readFile(stateFile, 'utf8').catch(() => undefined);
      return text === undefined ? EMPTY_JOURNAL : (JSON.parse(text) as Journal);
    },
  };
}

/**
 * Builds a command that records that it runs, and then waits for `letEnd`.
 * @param name the name of its traces, in the folder.
 */
export function buildTracedCommand({ folder }: Pick<AgentFiles, 'folder'>, name: string): string {
  const at = (kind: string): string => `'${join(folder, `${name}.${kind}`)}'`;
  return `echo run >> ${at('runs')}; while [ ! -e ${at('go')} ]; do sleep 0.05; done`;
}

/** Counts the runs of the command with this name. */
export async function countRuns(folder: string, name: string): Promise<number> {
  const text = await readFile(join(folder, `${name}.runs`), 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}

/** Resolves when the command with this name runs. */
export async function untilRuns(folder: string, name: string): Promise<void> {
  await until(`${name} runs`, async () => (await countRuns(folder, name)) > 0);
}

/** Resolves when an agent has registered its VM. */
export async function untilRegistered(
  database: Pick<TestDatabase, 'query'>,
  hostname: string,
): Promise<void> {
  await until(`${hostname} is registered`, async () => {
    const vms = await database.query('SELECT FROM vms WHERE hostname = $1', [hostname]);
    return vms.length > 0;
  });
}

/** Lets the command with this name end. */
export async function letEnd(folder: string, name: string): Promise<void> {
  await appendFile(join(folder, `${name}.go`), '');
}

/** Lists the commands that ran more than once. */
export async function listRepeated(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.runs'));
  const counts = await Promise.all(
    names.map(
      async (name) => [name, await countRuns(folder, name.slice(0, -'.runs'.length))] as const,
    ),
  );
  return counts.filter(([, count]) => count > 1).map(([name]) => name);
}

/** Assigns the VM to a person, with this command. Returns the assignment's id. */
export async function assign(
  database: Pick<TestDatabase, 'query'>,
  hostname: string,
  command: string,
): Promise<string> {
  const [vm] = await database.query<{ assignment_id: string }>(
    `UPDATE vms SET status = 'in-use', email = 'a@b.c', crd_command = $2 WHERE hostname = $1
     RETURNING assignment_id`,
    [hostname, command],
  );
  if (vm === undefined) throw new Error(`there is no ${hostname}`);
  return vm.assignment_id;
}

export async function untilEnded(files: AgentFiles, assignmentId: string): Promise<string> {
  return until(`${assignmentId} has ended`, async () => {
    const { entries } = await files.journal();
    return entries.find((entry) => entry.assignment_id === assignmentId)?.end?.outcome;
  });
}
