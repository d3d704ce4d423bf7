// The subcommand `import`: gives each person of a CSV file a VM. Without `--yes` it only says what
// it would do. Repeating it changes nothing for people who have their VM.

import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { readSystemCode } from '../../processes/system-code.js';
import { ExitCode, UsageError } from '../exit.js';
import { addGatewayOptions, resolveGateway, type GatewaySelection } from '../find-gateway.js';
import { formatCount, printInfo, printJson, printTable } from '../print.js';
import { openApi, type ApiConnection } from './api.js';
import { assignAny, assignNamedVm } from './changes.js';
import { RefusedError } from './errors.js';
import { readVms } from './fleet.js';
import { planImport, type PlannedPerson } from './import-plan.js';
import { NDJSON_OPTION } from './options.js';
import { readPeople, type Person } from './people-csv.js';

interface ImportOptions extends GatewaySelection {
  readonly yes?: true;
  readonly reassign?: true;
  readonly json?: true;
}

interface ImportResult {
  readonly email: string;
  readonly hostname: string | null;
  readonly outcome: string;
}

export function createImportCommand(): Command {
  const command = new Command('import')
    .description('give each person of a CSV file a VM; without --yes only say what would be done')
    .argument('<file>', 'CSV with a column email, and maybe hostname and command')
    .option('--yes', 'do it')
    .option('--reassign', 'take VMs that the file names from the people who have them')
    .option(...NDJSON_OPTION);
  return addGatewayOptions(command).action(async (file: string, options: ImportOptions) => {
    const people = await readPeopleFile(file);
    const api = await openApi(await resolveGateway(options));
    const { yes, reassign = false } = options;
    const plan = await preview(api, people, reassign);
    const results = yes ? await assignAll(api, plan, reassign) : plan.map(describePlan);
    if (options.json) results.forEach(printJson);
    else
      printTable(
        ['email', 'VM', yes ? 'outcome' : 'what would be done'],
        results.map(({ email, hostname, outcome }) => [email, hostname, outcome]),
      );
    const failed = results.filter(({ outcome }) => outcome.startsWith('failed')).length;
    printInfo(summarize(people.length, failed, yes === true));
    if (failed > 0) process.exitCode = ExitCode.finding;
  });
}

/** @throws UsageError */
async function readPeopleFile(file: string): Promise<readonly Person[]> {
  const content = await readFile(file).catch((cause: unknown) => {
    const code = readSystemCode(cause) ?? String(cause);
    throw new UsageError(`${file} cannot be read (${code}).`, { cause });
  });
  const { people, problems } = readPeople(content);
  if (problems.length === 0) return people;
  throw new UsageError(`${file} cannot be used, and nothing was changed.\n${problems.join('\n')}`);
}

async function preview(
  api: ApiConnection,
  people: readonly Person[],
  reassign: boolean,
): Promise<readonly PlannedPerson[]> {
  const fleet = [];
  for await (const { vm } of readVms(api, {})) fleet.push(vm);
  return planImport(people, fleet, reassign);
}

function describePlan({ person, hostname, step }: PlannedPerson): ImportResult {
  return { email: person.email, hostname: hostname ?? person.hostname ?? null, outcome: step };
}

/** Assigns one after the other, so that the first people of the file get the first VMs. */
async function assignAll(
  api: ApiConnection,
  plan: readonly PlannedPerson[],
  reassign: boolean,
): Promise<ImportResult[]> {
  const results: ImportResult[] = [];
  for (const { person } of plan) {
    const { email, hostname, command: crdCommand } = person;
    try {
      const { vm, online } =
        hostname === undefined
          ? await assignAny(api, { email, crdCommand })
          : await assignNamedVm(api, hostname, { email, crdCommand, reassign });
      const outcome = online === false ? 'assigned; the agent is offline' : 'assigned';
      results.push({ email, hostname: vm.hostname, outcome });
    } catch (error) {
      // A token that is refused, or a gateway that is gone, ends all; a conflict only this person.
      if (!(error instanceof RefusedError) || error.code === undefined || isFinal(error.code))
        throw error;
      results.push({ email, hostname: hostname ?? null, outcome: `failed: ${error.code}` });
    }
  }
  return results;
}

const isFinal = (code: string): boolean => code.startsWith('token_') || code === 'not_allowed';

function summarize(count: number, failed: number, done: boolean): string {
  const people = formatCount(count, 'person', 'people');
  if (!done)
    return `${people}, ${failed} of them without a VM. Nothing was changed: repeat it with --yes to assign.`;
  return failed === 0 ? `${people} have a VM.` : `${failed} of ${people} have no VM.`;
}
