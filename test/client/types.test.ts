// The types of the client, as a program with strict settings sees them: each snippet compiles
// without an assertion, and a mistake does not.

import { resolve } from 'node:path';
import t from 'tap';
import ts from 'typescript';

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  exactOptionalPropertyTypes: true,
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
};

const IMPORT = `import { createClient } from '../../src/client/index.js';\n`;

const GOOD = `
  const client = createClient({ url: 'http://127.0.0.1:8080', token: process.env.TOKEN });
  const vm = client.watchVm('vm-1');
  for await (const message of vm) {
    if (message.type !== 'assignment') continue;
    vm.acknowledge(message.vm.assignment_id);
    vm.reportStatus('failed', message.vm.assignment_id);
    const command: string | null | undefined = message.vm.crd_command;
    console.log(command);
  }
  createClient({ url: 'http://127.0.0.1:8080', token: () => process.env.TOKEN });
  createClient({ url: 'http://127.0.0.1:8080', token: async () => 'token' });
  createClient({ url: 'http://127.0.0.1:8080' });
`;

const BAD = `
  const vm = createClient({ url: 'http://127.0.0.1:8080' }).watchVm('vm-1');
  for await (const message of vm) console.log(message.vm);
`;

/** Returns what the compiler reports about each of these modules, which need not be on disk. */
function compile(modules: readonly string[]): string[][] {
  const textByName = new Map(
    modules.map((text, index) => [resolve(`test/client/snippet-${index}.ts`), IMPORT + text]),
  );
  const host = ts.createCompilerHost(OPTIONS);
  const fileExists = host.fileExists.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.fileExists = (file) => textByName.has(file) || fileExists(file);
  host.getSourceFile = (file, version) => {
    const text = textByName.get(file);
    return text === undefined
      ? getSourceFile(file, version)
      : ts.createSourceFile(file, text, version);
  };
  const program = ts.createProgram([...textByName.keys()], OPTIONS, host);
  return [...textByName.keys()].map((name) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  );
}

t.test('an agent reads its command and acknowledges it; a mistake is reported', (t) => {
  const [good, bad] = compile([GOOD, BAD]);
  t.same(good, []);
  t.match(bad, [/Property 'vm' does not exist/]);
  t.end();
});
