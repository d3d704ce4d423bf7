// The README as a newcomer follows it: every command and snippet runs as pasted, in order, in a
// fresh copy of the checkout, and in an empty folder beside the copy where the README says so. Two
// things are replaced: the port, so that tests do not collide, and the address of "your database".

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import t from 'tap';
import { compileModules } from './helpers/compile.js';
import { startDatabase } from './helpers/database.js';
import { freePort } from './helpers/free-port.js';
import { type CodeBlock, readCodeBlocks } from './helpers/markdown.js';
import { cleanEnvironment, Program, temporaryFolder } from './helpers/process.js';
import { until } from './helpers/until.js';

const blocks = readCodeBlocks(await readFile('README.md', 'utf8')).filter(
  ({ language }) => language !== '',
);
const workspace = await temporaryFolder(t);
const checkout = join(workspace, 'lablink-gateway');
const beside = join(workspace, 'empty');
const port = await freePort();

/** The next block of the README, which must be in this language and contain this text. */
function takeBlock(language: string, containing: string): CodeBlock {
  const block = blocks.shift();
  if (block?.language !== language || !block.text.includes(containing)) {
    throw new Error(`expected a block of ${language} with ${containing}: ${block?.text}`);
  }
  return { language, text: block.text.replaceAll('8080', String(port)) };
}

/** Runs a block in a shell of its own; its whole process group is killed with the test. */
function paste(script: string, cwd: string, env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn('bash', ['-c', script], {
    cwd,
    env: cleanEnvironment({ PATH: `${stubs}:${process.env.PATH}`, ...env }),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const program = new Program(child);
  t.teardown(async () => {
    signal(program, 'SIGKILL');
    await program.exited;
  });
  return program;
}

/** Signals the group, as a terminal does for Ctrl-C. */
function signal({ child }: Program, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // The group has ended.
  }
}

async function copyCheckout(): Promise<void> {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    encoding: 'utf8',
  });
  for (const file of listed.split('\n').filter((name) => name !== '')) {
    if (!(await stat(file).catch(() => undefined))) continue; // deleted, and not committed yet
    await mkdir(dirname(join(checkout, file)), { recursive: true });
    await cp(file, join(checkout, file));
  }
}

/** A Python with the package `websockets`, if the machine has one. */
const python = ['python3', '/usr/bin/python3'].find(
  (program) => spawnSync(program, ['-c', 'import websockets']).status === 0,
);

await copyCheckout();
await mkdir(beside);
const demoBlock = takeBlock('sh', 'npm ci');
const stubs = join(workspace, 'bin');
await makeStubs();

t.test('the demo starts a workshop, and Ctrl-C ends it', async (t) => {
  const demo = paste(demoBlock.text, checkout, { PORT: '0', TMPDIR: workspace });
  const [, url = ''] = await demo.until(({ stdout }) => /(http:\S+)\/#code=/.exec(stdout));
  t.equal((await fetch(`${url}/`)).status, 200);
  signal(demo, 'SIGINT');
  await demo.exited;
  await t.rejects(fetch(`${url}/`), 'the gateway has ended');
});

t.test(
  'npm start serves on an embedded database, and every client is told of a change',
  async (t) => {
    const gateway = paste(takeBlock('sh', 'npm start').text, checkout, { PORT: String(port) });
    await gateway.until(({ stdout }) => stdout.includes(`http://127.0.0.1:${port}`));

    const yours = takeBlock('sh', 'DATABASE_URL');
    const containers = takeBlock('sh', 'docker compose');
    const connect = takeBlock('sh', 'export TOKEN');
    const assigned = paste(`${connect.text}\nprintf 'TOKEN=%s\\n' "$TOKEN"`, checkout, {
      PORT: String(port),
    });
    t.match(await assigned.exited, { code: 0 }, assigned.stderr);
    const TOKEN = /TOKEN=(\S+)/.exec(assigned.stdout)?.[1];
    t.ok(TOKEN, 'the token is exported');

    await t.test('curl and wscat', async (t) => {
      const shell = paste(takeBlock('sh', 'curl').text, checkout, { TOKEN });
      await shell.until(({ stdout }) => /"crd_command": ?"echo hello"/.test(stdout));
      await shell.until(({ stdout }) => stdout.includes('"type":"assignment"'));
      t.pass('both have the assignment');
      signal(shell, 'SIGKILL');
    });

    await t.test('the client library, in an empty folder next to the checkout', async (t) => {
      const install = paste(takeBlock('sh', 'npm install ../lablink-gateway').text, beside);
      t.match(await install.exited, { code: 0 }, install.stderr);
      await writeFile(join(beside, 'watch.mjs'), takeBlock('js', 'createClient').text);
      const watch = paste('node watch.mjs', beside, { TOKEN });
      await watch.until(({ stdout }) => stdout.includes('echo hello'));
      t.pass('it prints the command');
      signal(watch, 'SIGKILL');
    });

    const inPython = takeBlock('python', 'websockets');
    await t.test(
      'Python',
      { skip: python === undefined && 'no Python with websockets' },
      async (t) => {
        await writeFile(join(beside, 'watch.py'), inPython.text);
        const watch = paste(`exec ${python} -u watch.py`, beside, { TOKEN });
        await watch.until(({ stdout }) => stdout.includes('assignment echo hello'));
        t.pass('it prints the command');
        signal(watch, 'SIGKILL');
      },
    );

    await t.test('the load test', async (t) => {
      const load = paste(takeBlock('sh', 'loadtest').text, checkout);
      t.match(await load.exited, { code: 0 }, load.stdout + load.stderr);
      t.match(load.stdout, /Passed\./);
    });

    await t.test('a database of your own', async (t) => {
      const { config } = await startDatabase(t, { migrate: false });
      const host = encodeURIComponent(String(config.host));
      const url = `postgresql://${config.user}@${host}:${config.port}/${config.database}`;
      const script = yours.text.replace(/postgresql:\S+/, url);
      const other = await freePort();
      const serve = paste(script, checkout, { PORT: String(other) });
      await serve.until(({ stdout }) => stdout.includes(`http://127.0.0.1:${other}`));
      const health = `http://127.0.0.1:${other}/health/ready`;
      await until('the gateway is ready', async () => (await fetch(health)).ok);
      t.match(serve.stdout + serve.stderr, /schema_not_current/, 'the doctor says what is missing');
      signal(serve, 'SIGINT');
      t.match(await serve.exited, { code: 0 });
    });

    await t.test('containers', { skip: noCompose() }, async (t) => {
      const up = paste(containers.text, checkout);
      t.match(await up.exited, { code: 0 }, up.stderr);
      await t.resolves(stat(join(checkout, 'deploy/secrets/jwt_secret')), 'the secrets are there');
    });

    t.same(blocks, [], 'no block of the README is left out');
    signal(gateway, 'SIGINT');
    await gateway.exited;
  },
);

/**
 * Makes stubs for two programs that no test can start as they are. `npm ci` checks the lock file
 * and takes the packages of this checkout instead of fetching them. `docker compose up` has
 * docker-compose read the same file, because there is no engine.
 */
async function makeStubs(): Promise<void> {
  const npm = execFileSync('which', ['npm'], { encoding: 'utf8' }).trim();
  const modules = resolve('node_modules');
  const programs = {
    npm: `[ "$1" = ci ] || exec ${npm} "$@"
${npm} ci --dry-run --no-audit >/dev/null || exit 1
cp -al ${modules} node_modules 2>/dev/null || cp -a ${modules} .`,
    docker: '[ "$1 $2 $4" = "compose -f up" ] && exec docker-compose -f "$3" config -q\nexit 1',
  };
  await mkdir(stubs);
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(stubs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
}

function noCompose(): string | false {
  return spawnSync('docker-compose', ['--version']).error
    ? 'docker-compose is not installed'
    : false;
}

t.test('snippets in JavaScript and TypeScript compile under strict settings', async (t) => {
  const texts = ['README.md', 'src/client/README.md'].map((file) => readFile(file, 'utf8'));
  const snippets = (await Promise.all(texts))
    .flatMap(readCodeBlocks)
    .filter(({ language }) => language === 'js' || language === 'ts');
  t.ok(snippets.length >= 2);
  const messages = compileModules(snippets.map(({ text }) => text));
  t.same(messages.flat(), []);
});
