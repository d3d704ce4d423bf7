// The package as its users get it: npm packs a copy of the checkout without a build, and an empty
// folder installs the tarball, serves on its own database, and uses the SDK from TypeScript. With
// CONSUMER_NODES it is used on other versions of Node too, as `.ci/consumer` does.

import { spawnSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import t from 'tap';
import { compileModules } from '../helpers/compile.js';
import { readCodeBlocks } from '../helpers/markdown.js';
import { cleanEnvironment, temporaryFolder } from '../helpers/process.js';
import { listNodes, listWarnings, useOnNode } from './consumer.js';

const folder = await temporaryFolder(t);
const checkout = join(folder, 'checkout');
const consumer = join(folder, 'consumer');
const installed = join(consumer, 'node_modules/lablink-gateway');
const OFFLINE_FRIENDLY = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=0'];
/** The errors of npm that say that the registry cannot be reached. */
const UNREACHABLE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|ENETUNREACH/;

function runNpm(args: readonly string[], cwd: string): ReturnType<typeof runProgram> {
  return runProgram('npm', args, cwd);
}

function runProgram(command: string, args: readonly string[], cwd: string) {
  const env = cleanEnvironment({ npm_config_update_notifier: 'false' });
  return spawnSync(command, args, { cwd, env, encoding: 'utf8' });
}

/** Copies the files that the build and the package need, with the modules of this checkout. */
async function copyCheckout(): Promise<void> {
  await mkdir(checkout);
  for (const name of ['package.json', 'tsconfig.json', 'README.md', 'LICENSE', 'src', 'schema']) {
    await cp(name, join(checkout, name), { recursive: true });
  }
  await cp('.ci', join(checkout, '.ci'), { recursive: true });
  await symlink(resolve('node_modules'), join(checkout, 'node_modules'));
}

await copyCheckout();
await mkdir(consumer);
await writeFile(join(consumer, 'package.json'), '{"private":true,"type":"module"}');

const packed = runNpm(['pack', '--silent'], checkout);
const tarball = join(checkout, packed.stdout.trim());
const install = runNpm(['install', ...OFFLINE_FRIENDLY, tarball], consumer);
const unreachable = install.status !== 0 && UNREACHABLE.test(install.stderr);
const skip = unreachable ? 'the npm registry cannot be reached' : false;

t.test('npm packs a checkout that was not built', async (t) => {
  t.equal(packed.status, 0, packed.stderr);
  const { stdout } = runProgram('tar', ['-tzf', tarball], checkout);
  const files = stdout.split('\n');
  t.ok(files.includes('package/dist/main.js'));
  t.ok(files.includes('package/dist/client/index.d.ts'));
  t.ok(files.includes('package/dist/client/index.d.cts'));
  t.ok(files.some((file) => file.startsWith('package/schema/000001')));
  t.same(
    files.filter((file) => /tsbuildinfo|\/(src|test|\.ci)\//.test(file)),
    [],
  );
});

t.test('npm installs it without a warning', { skip }, async (t) => {
  t.equal(install.status, 0, install.stderr);
  t.same(listWarnings(install.stderr), []);
});

for (const node of listNodes()) {
  const { stdout: version } = runProgram(node, ['--version'], consumer);
  t.test(`it serves and is used on Node ${version.trim()}`, { skip }, async (t) => {
    await useOnNode(t, node, consumer);
  });
}

t.test('every source map has the sources that it names', { skip }, async (t) => {
  const dist = join(installed, 'dist');
  const maps = (await readdir(dist, { recursive: true })).filter((name) => name.endsWith('.map'));
  t.ok(maps.length > 0);
  for (const name of maps) {
    const map = JSON.parse(await readFile(join(dist, name), 'utf8')) as {
      sources: string[];
      sourcesContent?: (string | null)[];
    };
    const contents = map.sourcesContent?.filter((text) => text !== null) ?? [];
    if (contents.length !== map.sources.length) t.fail(name);
  }
});

t.test(
  'the SDK is imported and required, and the documented snippets compile strictly',
  { skip },
  async (t) => {
    const script = `import { createClient } from 'lablink-gateway/client';
    import { CLOSE } from 'lablink-gateway/protocol';
    console.log(typeof createClient, typeof CLOSE);`;
    await writeFile(join(consumer, 'import.js'), script);
    t.equal(runProgram(process.execPath, ['import.js'], consumer).stdout, 'function object\n');
    const inCommonJs = `const { createClient, RejectedError } = require('lablink-gateway/client');
    const vm = createClient({ url: 'http://127.0.0.1:1' }).watchVm('vm-1');
    vm.close();
    vm.closed.then(({ error }) => console.log(typeof createClient, typeof RejectedError, error));`;
    await writeFile(join(consumer, 'require.cjs'), inCommonJs);
    // Newer versions of Node would load a module in its place.
    const options = ['--no-experimental-require-module', 'require.cjs'];
    const required = runProgram(process.execPath, options, consumer);
    t.same([required.stdout, required.stderr], ['function function undefined\n', '']);

    const snippets = readCodeBlocks(await readFile('src/client/README.md', 'utf8'))
      .concat(readCodeBlocks(await readFile('README.md', 'utf8')))
      .filter(({ language }) => language === 'js' || language === 'ts');
    t.ok(snippets.length > 0);
    await mkdir(join(consumer, 'node_modules/@types'), { recursive: true });
    await symlink(resolve('node_modules/@types/node'), join(consumer, 'node_modules/@types/node'));
    const messages = compileModules(
      snippets.map(({ text }) => text),
      consumer,
    );
    t.same(messages.flat(), []);
    const inCommonTypeScript = `import client = require('lablink-gateway/client');
    const options: client.ClientOptions = { url: 'http://127.0.0.1:8080', token: process.env.TOKEN };
    async function main(watch: client.VmWatch): Promise<void> {
      for await (const message of watch) {
        if (message.type === 'assignment') watch.acknowledge(message.vm.assignment_id);
        // @ts-expect-error: a message that is no assignment may have no row.
        else console.log(message.vm.crd_command);
      }
    }
    main(client.createClient(options).watchVm('vm-1')).catch((error: unknown) => {
      if (error instanceof client.RejectedError) console.error(error.message);
    });`;
    t.same(compileModules([inCommonTypeScript], consumer, 'cts').flat(), []);
  },
);
