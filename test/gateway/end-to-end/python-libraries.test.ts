// The WebSocket clients of aiohttp and Tornado, without any code of this project: both ways to send
// the token, a snapshot, awkward text, an acknowledgement, resuming, a refusal and a close.

import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { run, temporaryFolder, type Program } from '../../helpers/process.js';
import type { Message } from '../../helpers/raw-client.js';
import { until } from '../../helpers/until.js';

/** Each program prints the subprotocol, every message and the close code, and acknowledges. */
const PROGRAMS: Readonly<Record<string, string>> = {
  aiohttp: `
import asyncio, json, sys, aiohttp

async def main(url, headers, subprotocols):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, headers=headers, protocols=subprotocols) as socket:
            print('subprotocol', socket.protocol, flush=True)
            async for frame in socket:
                print(frame.data, flush=True)
                message = json.loads(frame.data)
                if message['type'] == 'assignment':
                    await socket.send_json({'type': 'ack', 'assignment_id': message['vm']['assignment_id']})
            print('closed', socket.close_code, flush=True)

asyncio.run(main(*json.loads(sys.argv[1])))
`,
  tornado: `
import asyncio, json, sys
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

async def main(url, headers, subprotocols):
    socket = await websocket_connect(HTTPRequest(url, headers=headers), subprotocols=subprotocols or None)
    print('subprotocol', socket.selected_subprotocol, flush=True)
    while True:
        frame = await socket.read_message()
        if frame is None:
            break
        print(frame, flush=True)
        message = json.loads(frame)
        if message['type'] == 'assignment':
            ack = {'type': 'ack', 'assignment_id': message['vm']['assignment_id']}
            await socket.write_message(json.dumps(ack))
    print('closed', socket.close_code, flush=True)

asyncio.run(main(*json.loads(sys.argv[1])))
`,
};

/** Debian's Python comes first, because its packages are those that users have. */
function findPythonWith(module: string): string | undefined {
  return ['/usr/bin/python3', 'python3'].find((program) => {
    try {
      execFileSync(program, ['-c', `import ${module}`], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

const listMessages = ({ stdout }: Program): Message[] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Message);

/** Waits until the program has printed a message of this type that contains the text. */
const untilPrinted = (program: Program, type: string, text = ''): Promise<Message> =>
  program.until((printed) =>
    listMessages(printed).find(
      (message) => message.type === type && JSON.stringify(message).includes(text),
    ),
  );

const AWKWARD = `é👩‍🔬 "\\\n\t\u2028 漢字`;

for (const [module, text] of Object.entries(PROGRAMS)) {
  const python = findPythonWith(module);
  const skip = python === undefined && `no Python with ${module}`;

  t.test(module, { skip }, async (t) => {
    const { createDatabase } = await startServer(t);
    const database = await createDatabase();
    const gateway = await startGateway(t, database);
    const file = join(await temporaryFolder(t), 'client.py');
    await writeFile(file, text);
    const start = (t: Test, { url }: TestGateway, path: string, ...args: unknown[]): Program =>
      run(t, python ?? '', [file, JSON.stringify([url.replace('http', 'ws') + path, ...args])]);
    const inHeader = async (own: TestGateway, role: 'admin' | 'dashboard') => ({
      Authorization: `Bearer ${await own.token(role)}`,
    });
    await database.query(
      `INSERT INTO vms (hostname, status)
       SELECT 'vm-' || n, 'available' FROM generate_series(1, 500) n`,
    );

    t.test('all VMs, with the token in a header, and resuming', async (t) => {
      const headers = await inHeader(gateway, 'admin');
      const first = start(t, gateway, '/v1/vms', headers, []);
      await untilPrinted(first, 'snapshot', '"more":false');
      t.match(first.stdout, 'subprotocol None');
      const held = listMessages(first).flatMap(({ vms }) => (vms ?? []) as { hostname: string }[]);
      t.equal(new Set(held.map(({ hostname }) => hostname)).size, 500, 'the snapshot is complete');
      await database.query(`UPDATE vms SET email = $1 WHERE hostname = 'vm-7'`, [AWKWARD]);
      const changes = await untilPrinted(first, 'changes', 'vm-7');
      t.match(changes, { changes: [{ op: 'upsert', vm: { email: AWKWARD } }] });
      first.child.kill();
      await first.exited;

      await database.query(`DELETE FROM vms WHERE hostname = 'vm-8'`);
      const path = `/v1/vms?cursor=${String(changes.cursor)}`;
      const second = start(t, gateway, path, headers, []);
      t.match(await untilPrinted(second, 'changes', 'vm-8'), { changes: [{ op: 'delete' }] });
      t.notMatch(second.stdout, '"snapshot"', 'only the changes came');
    });

    t.test('one VM, with the token as a subprotocol, and an acknowledgement', async (t) => {
      const token = await gateway.token('agent', 'vm-1');
      const program = start(t, gateway, '/v1/vms/vm-1', {}, ['lablink.v1', `bearer.${token}`]);
      await untilPrinted(program, 'status', 'vm-1');
      t.match(program.stdout, 'subprotocol lablink.v1');
      await database.query(
        `UPDATE vms SET status = 'in-use', crd_command = $1 WHERE hostname = 'vm-1'`,
        [AWKWARD],
      );
      const assignment = await untilPrinted(program, 'assignment');
      t.match(assignment, { vm: { crd_command: AWKWARD } });
      await until('it is acknowledged', async () => {
        const acknowledged = 'SELECT FROM vm_deliveries WHERE acknowledged_at IS NOT NULL';
        return (await database.query(acknowledged)).length === 1;
      });
    });

    t.test('a refusal has a status, and a close has a code', async (t) => {
      const refused = start(t, gateway, '/v1/vms', {}, []);
      t.not((await refused.exited).code, 0);
      t.match(refused.stderr, '401');

      const own = await startGateway(t, database);
      const program = start(t, own, '/v1/vms', await inHeader(own, 'dashboard'), []);
      await untilPrinted(program, 'snapshot');
      await own.app.close();
      t.match(await program.exited, { code: 0 });
      t.match(program.stdout, 'closed 1012');
    });
  });
}
