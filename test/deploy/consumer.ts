// Uses the installed package as its users do: the server, the agent and the SDK, all on one version
// of Node.

import { spawnSync } from 'node:child_process';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { Test } from 'tap';
import ts from 'typescript';
import { listeningAt } from '../helpers/gateway-process.js';
import { cleanEnvironment, run } from '../helpers/process.js';
import { until } from '../helpers/until.js';

/** The programs of Node to test with: those that CONSUMER_NODES lists, or the running one. */
export function listNodes(): string[] {
  return (process.env.CONSUMER_NODES ?? process.execPath).split(delimiter);
}

/**
 * Lists the warnings in the output of npm. It lists install scripts of every package that has some;
 * PostgreSQL's package needs its own only for links that the gateway makes itself.
 */
export function listWarnings(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('npm warn') && !line.startsWith('npm warn install-scripts'));
}

/** A program in TypeScript that waits for the assignment of a VM, and acknowledges it. */
const PROGRAM = `import { createClient, RejectedError } from 'lablink-gateway/client';
const client = createClient({ url: process.env.URL ?? '', token: process.env.TOKEN });
const watch = client.watchVm('vm-2');
try {
  for await (const message of watch) {
    if (message.type !== 'assignment') continue;
    watch.acknowledge(message.vm.assignment_id);
    console.log(message.vm.crd_command);
    break;
  }
} catch (error: unknown) {
  console.error(error instanceof RejectedError ? error.reason : error);
}
watch.close();
`;

/** Serves on a database of its own, and uses the agent and the SDK with it. */
export async function useOnNode(t: Test, node: string, consumer: string): Promise<void> {
  const folder = join(consumer, `node-${t.name.replace(/\W/g, '-')}`);
  await mkdir(folder);
  const command = join(consumer, 'node_modules/.bin/lablink-gateway');
  const env = { PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
  const options = { cwd: folder, env };
  const ask = (...args: string[]): string => {
    const asked = spawnSync(command, args, {
      cwd: folder,
      env: cleanEnvironment(env),
      encoding: 'utf8',
    });
    if (asked.status !== 0) t.fail(`${args.join(' ')}: ${asked.stderr}`);
    return asked.stdout.trim();
  };
  t.match(ask('agent', '--help'), 'lablink-gateway agent');
  const server = run(t, command, ['serve'], { cwd: folder, env: { ...env, PORT: '0' } });
  const url = await server.until(listeningAt);
  await until('the gateway is ready', async () => (await fetch(`${url}/health/ready`)).ok);
  t.equal((await fetch(url)).status, 200, 'the dashboard');

  const admin = ask('token', '--role', 'admin', '--sub', 'tester');
  const send = async (method: string, path: string, body?: object): Promise<Response> =>
    fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  for (const hostname of ['vm-1', 'vm-2'])
    t.equal((await send('PUT', `/v1/vms/${hostname}`)).status, 201);

  const made = join(folder, 'made');
  for (const hostname of ['vm-1', 'vm-2'])
    ask('token', '--role', 'agent', '--hostname', hostname, '--out', hostname);
  const names = ['--hostname', 'vm-1', '--token-file', 'vm-1', '--state-file', 'state'];
  const agent = run(t, command, ['agent', '--url', url, ...names, '--shell'], options);
  const token = (await readFile(join(folder, 'vm-2'), 'utf8')).trim();
  const program = ts.transpileModule(PROGRAM, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  await writeFile(join(folder, 'program.mjs'), program.outputText);
  const sdk = run(t, node, ['program.mjs'], { cwd: folder, env: { URL: url, TOKEN: token } });
  const assign = (hostname: string, crdCommand: string): Promise<Response> =>
    send('PATCH', `/v1/vms/${hostname}`, {
      ...{ status: 'in-use', email: `${hostname}@example.com`, crd_command: crdCommand },
    });
  t.equal((await assign('vm-1', `touch '${made}'`)).status, 200);
  t.equal((await assign('vm-2', 'start héllo')).status, 200);
  await until('the agent has run the command', () =>
    access(made).then(
      () => true,
      () => false,
    ),
  );
  t.same(await sdk.exited, { code: 0, signal: null });
  t.same([sdk.stdout, sdk.stderr], ['start héllo\n', '']);

  for (const { child, exited } of [agent, server]) {
    child.kill('SIGTERM');
    t.equal((await exited).code, 0);
  }
  t.notMatch(server.stderr + agent.stderr, /Warning:/);
}
