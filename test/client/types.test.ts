// The types of the client, as a program with strict settings sees them: each snippet compiles
// without an assertion, and a mistake does not.

import t from 'tap';
import { compileModules } from '../helpers/compile.js';

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

t.test('an agent reads its command and acknowledges it; a mistake is reported', (t) => {
  const [good, bad] = compileModules(
    [GOOD, BAD].map((text) => IMPORT + text),
    'test/client',
  );
  t.same(good, []);
  t.match(bad, [/Property 'vm' does not exist/]);
  t.end();
});
