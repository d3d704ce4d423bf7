// Clients of other makes, without any code of this project: Python's websockets and wscat, with the
// token in a header and as a subprotocol.

import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import type { Message } from '../../helpers/raw-client.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
const gateway = await startGateway(t, database);
const url = gateway.url.replace('http', 'ws');

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Runs a program that prints messages; returns the JSON in its output as it arrives. */
function run(t: Test, program: string, args: readonly string[]) {
  const child: Child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  // Resolves once the program has printed all its output.
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill();
    await ended;
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const messages = (): Message[] =>
    [...output.matchAll(/\{"type".*\}/g)].map(([text]) => JSON.parse(text) as Message);
  const told = (type: string, text = ''): Promise<Message> =>
    until(`it printed ${type} ${text}`, () =>
      messages().find((m) => m.type === type && JSON.stringify(m).includes(text)),
    );
  return { child, ended, told, output: () => output };
}

/** A Python that has the package; undefined if there is none. */
const python = ['python3', '/usr/bin/python3'].find((program) => {
  try {
    execFileSync(program, ['-c', 'import websockets'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

const IN_PYTHON = `
import asyncio, json, sys, websockets

async def main(url, headers, subprotocols):
    try:
        connection = websockets.connect(url, subprotocols=subprotocols, extra_headers=headers)
        socket = await connection
    except TypeError:
        socket = await websockets.connect(url, subprotocols=subprotocols, additional_headers=headers)
    print('subprotocol', socket.subprotocol, flush=True)
    await socket.send('{"type":"ping"}')
    try:
        async for message in socket:
            print(message, flush=True)
    except websockets.ConnectionClosed:
        pass
    print('closed', socket.close_code, flush=True)

asyncio.run(main(*json.loads(sys.argv[1])))
`;

t.test(
  'Python websockets',
  { skip: python === undefined && 'no Python with websockets' },
  async (t) => {
    const token = await gateway.token('dashboard');
    const inPython = (t: Test, ...args: unknown[]) =>
      run(t, python ?? '', ['-c', IN_PYTHON, JSON.stringify(args)]);

    t.test('with the token in a header', async (t) => {
      const headers = { Authorization: `Bearer ${token}` };
      const client = inPython(t, `${url}/v1/vms`, headers, null);
      t.match(await client.told('welcome'), { protocol: 'lablink.v1' });
      await client.told('snapshot');
      await client.told('pong');
      await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-py', 'available')`);
      await client.told('changes', 'vm-py');
      t.match(client.output(), 'subprotocol None');
    });

    t.test('with the token as a subprotocol', async (t) => {
      const client = inPython(t, `${url}/v1/vms/vm-py`, null, ['lablink.v1', `bearer.${token}`]);
      await client.told('status', 'vm-py');
      await database.query(
        `UPDATE vms SET status = 'in-use', email = 'é👩‍🔬' WHERE hostname = 'vm-py'`,
      );
      t.match(await client.told('assignment', 'vm-py'), { vm: { email: 'é👩‍🔬' } });
      t.match(client.output(), 'subprotocol lablink.v1');
    });

    t.test('it learns the close code', async (t) => {
      const own = await startGateway(t, database);
      const headers = { Authorization: `Bearer ${await own.token('dashboard')}` };
      const client = inPython(t, `${own.url.replace('http', 'ws')}/v1/vms`, headers, null);
      await client.told('pong');
      await own.app.close();
      t.equal(await client.ended, 0);
      t.match(client.output(), 'closed 1012');
    });

    t.test('it is rejected with a status', async (t) => {
      const client = inPython(t, `${url}/v1/vms`, null, null);
      t.not(await client.ended, 0);
      t.match(client.output(), 'HTTP 401');
    });
  },
);

const wscat = ((): string => {
  const path = createRequire(import.meta.url).resolve('wscat/package.json');
  return join(dirname(path), 'bin', 'wscat');
})();

t.test('wscat', async (t) => {
  const inWscat = (t: Test, ...args: string[]) => run(t, process.execPath, [wscat, ...args]);

  t.test('with the token in a header', async (t) => {
    const token = await gateway.token('agent', 'vm-cat');
    const header = `Authorization: Bearer ${token}`;
    const client = inWscat(t, '-c', `${url}/v1/vms/vm-cat`, '-s', 'lablink.v1', '-H', header);
    await client.told('absent', 'vm-cat');
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-cat', 'in-use')`);
    await client.told('assignment', 'vm-cat');
    client.child.stdin.write('{"type":"status","status":"failed"}\n');
    await client.told('status', '"failed"');
  });

  t.test('with the token as a subprotocol', async (t) => {
    const token = await gateway.token('admin');
    const offers = ['-s', 'lablink.v1', '-s', `bearer.${token}`];
    const client = inWscat(t, '-c', `${url}/v1/vms`, ...offers);
    await client.told('snapshot', 'vm-cat');
    await database.query(`UPDATE vms SET email = 'a@b.c' WHERE hostname = 'vm-cat'`);
    await client.told('changes', 'a@b.c');
  });

  t.test('it is rejected with a status', async (t) => {
    const client = inWscat(t, '-c', `${url}/v1/vms`);
    t.not(await client.ended, 0);
    t.match(client.output(), '401');
  });
});
