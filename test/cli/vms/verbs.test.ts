// The commands for daily work, against a gateway: what they print, what they change, and how they
// end.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { createAssignCommand } from '../../../src/cli/vms/assign.js';
import { createEventsCommand } from '../../../src/cli/vms/events.js';
import { createExportCommand } from '../../../src/cli/vms/export.js';
import { createImportCommand } from '../../../src/cli/vms/import.js';
import { createListCommand } from '../../../src/cli/vms/list.js';
import { createFailCommand, createReleaseCommand } from '../../../src/cli/vms/release.js';
import { startDatabase } from '../../helpers/database.js';
import { runInProcess, type Ended } from '../../helpers/db-command.js';
import { startGateway } from '../../helpers/gateway.js';
import { temporaryFolder } from '../../helpers/process.js';

const COMMANDS = {
  vms: createListCommand,
  assign: createAssignCommand,
  release: createReleaseCommand,
  fail: createFailCommand,
  events: createEventsCommand,
  import: createImportCommand,
  export: createExportCommand,
};

const database = await startDatabase(t);
const gateway = await startGateway(t, database);
const folder = await temporaryFolder(t);

async function saveToken(role: 'admin' | 'dashboard'): Promise<string> {
  const file = join(folder, role);
  await writeFile(file, `${await gateway.token(role)}\n`);
  return file;
}

const admin = await saveToken('admin');
const dashboard = await saveToken('dashboard');

function call(
  name: keyof typeof COMMANDS,
  args: readonly string[] = [],
  tokenFile = admin,
): Promise<Ended> {
  const env = { LABLINK_URL: gateway.url, LABLINK_TOKEN_FILE: tokenFile };
  return runInProcess(COMMANDS[name]().exitOverride(), args, env);
}

const parseLines = ({ stdout }: Ended): unknown[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

/** A fresh fleet: VMs that are available, in this order. */
async function fill(...hostnames: string[]): Promise<void> {
  await database.query('DELETE FROM vms');
  for (const hostname of hostnames)
    await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'available')`, [hostname]);
}

t.test('an empty list is a sentence on stderr, and nothing on stdout', async (t) => {
  await fill();
  t.match(await call('vms'), { code: 0, stdout: '', stderr: /has no VMs\.\n$/ });
  t.match(await call('vms', ['--json']), { code: 0, stdout: '' });
  t.match(await call('events', ['--hostname', 'never']), {
    code: 0,
    stdout: '',
    stderr: /No change/,
  });
});

t.test('vms lists VMs and agents, and --json one VM per line', async (t) => {
  await fill('vm-1', '実験室');
  const { code, stdout, stderr } = await call('vms');
  t.same([code, stderr], [0, '']);
  const [heading = '', first = '', second = ''] = stdout.split('\n');
  t.match(heading, /^hostname +status +email +agent/);
  const column = heading.indexOf('status');
  t.equal(first.indexOf('available'), column);
  t.equal(second.indexOf('available'), column - 3, 'each character is two columns wide');
  t.match(parseLines(await call('vms', ['--json', '--hostname', 'vm-*'])), [
    { hostname: 'vm-1', status: 'available', presence: null },
  ]);
  t.match(await call('vms', ['--status', 'failed']), { stdout: '', stderr: /No VM .* matches/ });
});

t.test('assign, release and fail change one VM, and print it', async (t) => {
  await fill('vm-1', 'vm-2');
  const assigned = await call('assign', ['ada@example.com', '--command', 'echo hi', '--json']);
  t.match(parseLines(assigned), [{ hostname: 'vm-1', email: 'ada@example.com' }]);
  t.match(assigned.stderr, /agent is offline/);
  const again = await call('assign', ['ada@example.com']);
  t.match(again, { code: 0, stdout: /vm-1 +in-use +ada@example.com/ }, 'a person has one VM');
  t.match(await call('assign', ['bob@example.com', '--hostname', 'vm-1']), {
    code: 1,
    stderr: /assigned_to_another/,
  });
  const taken = await call('assign', ['bob@example.com', '--hostname', 'vm-1', '--reassign']);
  t.match(taken, { code: 0, stdout: /vm-1 +in-use +bob/ });
  t.match(await call('release', ['bob@example.com']), { code: 0, stdout: /vm-1 +available +-/ });
  t.match(await call('release', ['bob@example.com']), {
    code: 2,
    stderr: /bob@example.com has no VM/,
  });
  t.match(await call('fail', ['vm-2', '--json']), { code: 0, stdout: /"status":"failed"/ });
  t.match(await call('fail', ['vm-9']), { code: 1, stderr: /vm_not_found/ });
});

t.test('assign reads a command from a file, which no other user sees', async (t) => {
  await fill('vm-1');
  const file = join(folder, 'command');
  await writeFile(file, 'start-host --code=4/x\n');
  await call('assign', ['ada@example.com', '--command-file', file]);
  t.same(await database.query('SELECT crd_command FROM vms'), [
    { crd_command: 'start-host --code=4/x' },
  ]);
});

t.test('events are the latest first, of a VM, a person or a time', async (t) => {
  await fill('vm-1');
  await call('assign', ['ada@example.com']);
  const { stdout } = await call('events', ['--hostname', 'vm-1', '--limit', '2']);
  t.match(stdout, /vm-1 +available → in-use +ada@example.com +admin:tester\n.* insert/);
  const recent = parseLines(await call('events', ['--since', '1h', '--json']));
  t.match(recent[0], { hostname: 'vm-1', op: 'update', new_email: 'ada@example.com' });
  t.match(await call('events', ['--since', '2000-01-01']), { code: 0 });
  t.match(await call('events', ['--since', '2999-01-01']), { code: 0, stdout: '' });
});

t.test('import says what it would do, does it with --yes, and repeats nothing', async (t) => {
  await fill('vm-1', 'vm-2', 'vm-3');
  const file = join(folder, 'people.csv');
  await writeFile(
    file,
    '\uFEFFName;E-Mail;VM;Command\r\nAda;ada@example.com;;\r\nBob;bob@example.com;vm-3;"echo ""b; c"""\r\n',
  );
  const preview = await call('import', [file]);
  t.match(preview, { code: 0, stderr: /2 people, 0 of them without a VM\. Nothing was changed/ });
  t.match(
    preview.stdout,
    /ada@example.com +- +assign an available VM\nbob@example.com +vm-3 +assign it/,
  );
  t.equal((await database.query(`SELECT FROM vms WHERE status = 'in-use'`)).length, 0);
  t.match(await call('import', [file, '--yes']), { code: 0, stderr: /2 people have a VM/ });
  const rows = () =>
    database.query(`SELECT hostname, email, crd_command, version FROM vms ORDER BY hostname`);
  const before = await rows();
  t.match(before, [
    { hostname: 'vm-1', email: 'ada@example.com', crd_command: null },
    { hostname: 'vm-2', email: null },
    { hostname: 'vm-3', email: 'bob@example.com', crd_command: 'echo "b; c"' },
  ]);
  t.match(parseLines(await call('import', [file, '--yes', '--json'])), [
    { email: 'ada@example.com', hostname: 'vm-1', outcome: /^assigned/ },
    { email: 'bob@example.com', hostname: 'vm-3', outcome: 'assigned' },
  ]);
  t.same(await rows(), before);
});

t.test('import goes on after a person who gets no VM, and ends with 1', async (t) => {
  await fill('vm-1');
  const file = join(folder, 'many.csv');
  await writeFile(file, 'email,hostname\na@example.com,vm-9\nb@example.com,\nc@example.com,\n');
  const plan = await call('import', [file]);
  t.match(plan, { code: 1, stderr: /3 people, 2 of them without a VM/ });
  t.match(parseLines(await call('import', [file, '--yes', '--json'])), [
    { email: 'a@example.com', outcome: 'failed: vm_not_found' },
    { email: 'b@example.com', hostname: 'vm-1', outcome: /^assigned/ },
    { email: 'c@example.com', outcome: 'failed: no_vm_available' },
  ]);
});

t.test('export is CSV that a spreadsheet takes for text, and that import reads', async (t) => {
  await fill('vm-1', '=HYPERLINK("http://x")');
  await call('assign', ['ada@example.com', '--hostname', 'vm-1', '--command', '@SUM(1)']);
  const { stdout } = await call('export', ['--commands']);
  const [header, ...lines] = stdout.trim().split('\r\n');
  t.equal(
    header,
    'hostname,status,email,agent_online,delivery,exit_code,created_at,updated_at,assignment_id,crd_command',
  );
  t.ok(lines.some((line) => line.startsWith(`"'=HYPERLINK(""http://x"")",available,`)));
  t.ok(lines.some((line) => line.endsWith(`,'@SUM(1)`)));
  t.notMatch(await call('export'), { stdout: /SUM/ }, 'a command may hold a one-time code');
  t.match(parseLines(await call('export', ['--json', '--status', 'in-use'])), [
    { hostname: 'vm-1', email: 'ada@example.com', delivery: 'not sent', agent_online: false },
  ]);
  const file = join(folder, 'exported.csv');
  await writeFile(file, (await call('export', ['--status', 'in-use'])).stdout);
  t.match(await call('import', [file]), { code: 0, stdout: /ada@example.com +vm-1 +keep it/ });
});

t.test('a dashboard may read, and is refused a change', async (t) => {
  await fill('vm-1');
  t.match(await call('vms', [], dashboard), { code: 0, stdout: /vm-1/ });
  t.match(await call('fail', ['vm-1'], dashboard), {
    code: 1,
    stderr: /not_allowed.*--token-file/,
  });
});
