// Holds a client of another language to the gateway: both ways to send the token, a snapshot over a
// slow link, silence, awkward text, an acknowledgement, resuming, a restart and a refusal.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { startProxy } from '../faults/proxy.js';
import type { TestServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { run, type Program } from '../helpers/process.js';
import type { Message } from '../helpers/raw-client.js';
import { until } from '../helpers/until.js';
import type { Command } from './programs.js';

export interface HoldOptions {
  readonly pingIntervalMs: number;
  /** So long nothing but Pings comes. */
  readonly silenceMs: number;
  readonly vms: number;
  readonly bytesPerSecond: number;
}

/** Far beyond a snapshot over the slow link. */
const PATIENCE_MS = 200_000;

/** Control characters but NUL, which PostgreSQL cannot store; quotes, line breaks, emoji, CJK. */
const CONTROLS = Array.from({ length: 31 }, (_, n) => String.fromCharCode(n + 1)).join('');
const AWKWARD = `é👩‍🔬 '"\\\r\n\u2028\u2029\uFEFF 漢字 한국어 e\u0301 ${CONTROLS}\u007f`;

const listMessages = ({ stdout }: Program): Message[] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Message);

/** Waits until the program has printed a message of this type that contains the text. */
async function untilPrinted(program: Program, type: string, text = ''): Promise<Message> {
  let ended = false;
  void program.exited.then(() => (ended = true));
  return until(
    `it prints ${type} ${text}`,
    () => {
      const found = listMessages(program).find(
        (message) => message.type === type && JSON.stringify(message).includes(text),
      );
      if (found === undefined && ended) throw new Error(`it ended: ${program.stdout.slice(-200)}`);
      return found;
    },
    PATIENCE_MS,
  );
}

/** Adds the tests of one client to `t`. */
export async function holdClient(
  t: Test,
  { createDatabase }: TestServer,
  command: Command,
  { pingIntervalMs, silenceMs, vms, bytesPerSecond }: HoldOptions,
): Promise<void> {
  const database = await createDatabase();
  const gateway = await startGateway(t, database, { timing: { pingIntervalMs } });
  await database.query(
    `INSERT INTO vms (hostname, status, crd_command)
     SELECT 'vm-' || n, 'available', repeat('x', 100) FROM generate_series(1, $1::int) n`,
    [vms],
  );
  const [program, ...first] = command;
  const start = (url: string, token: string, mode: 'header' | 'subprotocol'): Program =>
    run(t, program, [...first, url.replace('http', 'ws'), token, mode]);
  const admin = await gateway.token('admin');

  t.test('all VMs over a slow link, then silence, with the token in a header', async (t) => {
    const { hostname, port } = new URL(gateway.url);
    const link = await startProxy(t, { host: hostname, port: Number(port) });
    link.throttle(bytesPerSecond);
    const { port: linkPort = 0 } = link.through({});
    const client = start(`http://127.0.0.1:${linkPort}/v1/vms`, admin, 'header');
    await untilPrinted(client, 'snapshot', '"more":false');
    const held = listMessages(client).flatMap((part) => (part.vms ?? []) as { hostname: string }[]);
    t.equal(new Set(held.map((vm) => vm.hostname)).size, vms, 'the snapshot is complete');
    await sleep(silenceMs);
    await database.query(`UPDATE vms SET email = $1 WHERE hostname = 'vm-7'`, [AWKWARD]);
    const changes = await untilPrinted(client, 'changes', 'vm-7');
    t.match(changes, { changes: [{ op: 'upsert', vm: { email: AWKWARD } }] });
    t.notMatch(client.stdout, /^closed/m);
    client.child.kill();
    await client.exited;

    await database.query(`DELETE FROM vms WHERE hostname = 'vm-8'`);
    const url = `${gateway.url}/v1/vms?cursor=${String(changes.cursor)}`;
    const resumed = start(url, admin, 'header');
    t.match(await untilPrinted(resumed, 'changes', 'vm-8'), { changes: [{ op: 'delete' }] });
    t.notMatch(resumed.stdout, '"snapshot"', 'only the changes came');
  });

  t.test('one VM, with the token as a subprotocol, and an acknowledgement', async (t) => {
    const token = await gateway.token('agent', 'vm-1');
    const client = start(`${gateway.url}/v1/vms/vm-1`, token, 'subprotocol');
    await untilPrinted(client, 'status', 'vm-1');
    await client.until(({ stdout }) => stdout.includes('subprotocol lablink.v1'));
    t.notMatch(client.stdout, /^http (?!200)/m, 'it reads the VM over HTTP too, if it can');
    await database.query(
      `UPDATE vms SET status = 'in-use', crd_command = $1 WHERE hostname = 'vm-1'`,
      [AWKWARD],
    );
    const assignment = await untilPrinted(client, 'assignment');
    t.match(assignment, { vm: { crd_command: AWKWARD } });
    await until('it is acknowledged', async () => {
      const acknowledged = 'SELECT FROM vm_deliveries WHERE acknowledged_at IS NOT NULL';
      return (await database.query(acknowledged)).length === 1;
    });
  });

  t.test('a refusal has a status', async (t) => {
    const refused = start(`${gateway.url}/v1/vms`, 'none', 'header');
    t.not((await refused.exited).code, 0);
    t.match(refused.stdout, 'refused 401');
  });

  t.test('a restart closes with a code, and a cursor from before gets a snapshot', async (t) => {
    const before = await startGateway(t, database);
    const client = start(`${before.url}/v1/vms`, admin, 'subprotocol');
    const { cursor } = await untilPrinted(client, 'snapshot', '"more":false');
    await before.app.close();
    t.match(await client.exited, { code: 0 });
    t.match(client.stdout, 'closed 1012');
    const after = await startGateway(t, database);
    const returned = start(`${after.url}/v1/vms?cursor=${String(cursor)}`, admin, 'subprotocol');
    await untilPrinted(returned, 'snapshot', '"more":false');
    t.pass('it has the state again');
  });
}
