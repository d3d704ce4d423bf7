// The client for Python on a real gateway, as a program uses it: the documented snippet, a loop
// over all VMs, and its errors.

import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { findPython } from '../agent/python.js';
import { startServer } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { startGateway } from '../helpers/gateway.js';
import { readCodeBlocks } from '../helpers/markdown.js';
import { run, temporaryFolder, type Program } from '../helpers/process.js';
import { until } from '../helpers/until.js';

const python = findPython();
const skip = python === undefined && 'no Python with websockets';

const WATCH_ALL = `
import asyncio, json, os, sys
from lablink_client import Client, RejectedError

async def main():
    fleet = Client(sys.argv[1], token=lambda: os.environ["TOKEN"]).watch_fleet()
    try:
        async for update in fleet:
            vms = {name: vm["status"] for name, vm in fleet.vms.items()}
            print(json.dumps([vms, sorted(update)]), flush=True)
            if "last" in fleet.vms:
                break
    except RejectedError as error:
        print("rejected", error.code, error, flush=True)
        return
    state = await fleet.wait_closed()
    print(state.phase, state.rejected, flush=True)

asyncio.run(main())
`;

/** Closes watches while messages arrive. */
const CLOSE_MANY = `
import asyncio, json, sys, websockets
from lablink_client import Client
WELCOME = {"type": "welcome", "protocol": "lablink.v1", "gateway": "g", "heartbeat_ms": 25000, "live": True}

async def flood(socket, *_path):
    await socket.send(json.dumps(WELCOME))
    try:
        while True:
            await socket.send('{"type":"absent","hostname":"vm-1"}')
            await asyncio.sleep(0.001)
    except websockets.ConnectionClosed:
        pass

async def main():
    async with websockets.serve(flood, "127.0.0.1", 0, subprotocols=["lablink.v1"]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = Client(f"http://127.0.0.1:{port}", token="t")
        async def watch_shortly(count):
            async with client.watch_vm("vm-1") as watch:
                async for _ in watch:
                    count -= 1
                    if count < 0:
                        break
            state = await watch.wait_closed()
            assert state.phase == "closed" and not state.rejected

        await asyncio.gather(*(watch_shortly(n % 10) for n in range(100)))
    print("closed all", flush=True)

asyncio.run(main())
`;

t.test('the client for Python', { skip }, async (t) => {
  const { createDatabase } = await startServer(t);
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const folder = await temporaryFolder(t);
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command) VALUES ('vm-1', 'in-use', 'a@b.c', 'go')`,
  );
  const start = async (t: Test, text: string, TOKEN: string, ...args: string[]) => {
    const file = join(folder, `${t.name.replace(/\W/g, '')}.py`);
    await writeFile(file, text);
    const env = { TOKEN, PYTHONPATH: resolve('deploy/agent'), PYTHONDONTWRITEBYTECODE: '1' };
    return run(t, python ?? '', ['-u', file, ...args], { env });
  };

  t.test('the documented snippet acknowledges and prints the command', async (t) => {
    const document = await readFile('deploy/agent/README.md', 'utf8');
    const [snippet] = readCodeBlocks(document).filter(({ language }) => language === 'python');
    const text = snippet?.text.replace('http://127.0.0.1:8080', gateway.url) ?? '';
    const program = await start(t, text, await gateway.token('agent', 'vm-1'));
    await program.until(({ stdout }) => stdout === 'go\n');
    await until('it is acknowledged', async () => {
      const acknowledged = 'SELECT FROM vm_deliveries WHERE acknowledged_at IS NOT NULL';
      return (await database.query(acknowledged)).length === 1;
    });
  });

  const lastUpdate = ({ stdout }: Program): unknown => {
    const lines = stdout.split('\n').filter((line) => line.startsWith('['));
    return lines.length === 0 ? undefined : JSON.parse(lines.at(-1) ?? '');
  };

  t.test('a loop over all VMs has the state, and leaving it closes the watch', async (t) => {
    const program = await start(t, WATCH_ALL, await gateway.token('dashboard'), gateway.url);
    await program.until((shown) => JSON.stringify(lastUpdate(shown) ?? '').includes('vm-1'));
    t.same(lastUpdate(program), [{ 'vm-1': 'in-use' }, ['vm-1']]);
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('last', 'available')`);
    t.match(await program.exited, { code: 0 });
    t.same(lastUpdate(program), [{ 'vm-1': 'in-use', last: 'available' }, ['last']]);
    t.match(program.stdout, 'closed False');
  });

  t.test('a watch closes while messages arrive', async (t) => {
    const program = await start(t, CLOSE_MANY, 't');
    t.match(await program.exited, { code: 0 }, program.stderr);
    t.equal(program.stdout, 'closed all\n');
  });

  t.test('a rejection for good is raised', async (t) => {
    const program = await start(t, WATCH_ALL, await gateway.token('agent', 'vm-1'), gateway.url);
    t.match(await program.exited, { code: 0 });
    t.match(program.stdout, /^rejected 403 HTTP 403 not_allowed/m);
  });

  t.test('its program says why the gateway cannot be reached', async (t) => {
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 't');
    const client = [resolve('deploy/agent/lablink_client.py'), '--token-file', tokenFile];
    for (const [url, reason] of [
      [`http://127.0.0.1:${await freePort()}`, /no process listens there/],
      ['http://no-such-host.invalid', /is not found in DNS/],
    ] as const) {
      const program = run(t, python ?? '', [...client, '--url', url]);
      t.ok(await program.until(({ stderr }) => reason.exec(stderr)), url);
    }
  });
});
