// The command line of `agent`: bad usage is refused before anything happens.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { createAgentCommand } from '../../src/cli/agent.js';
import { ExitCode, selectExitCode, explainError } from '../../src/cli/exit.js';
import { temporaryFolder } from '../helpers/process.js';

t.test('the command line', async (t) => {
  const folder = await temporaryFolder(t);
  const token = join(folder, 'token');
  await writeFile(token, 'a-token');
  const files = ['--token-file', token, '--state-file', join(folder, 'state')];
  const args = ['--url', 'http://127.0.0.1:1', '--hostname', 'vm-1', ...files];
  const refusal = async (...args: string[]): Promise<string> => {
    const command = createAgentCommand().configureOutput({ writeErr: () => undefined });
    try {
      await command.parseAsync(args, { from: 'user' });
    } catch (error) {
      t.equal(selectExitCode(error), ExitCode.usage, args.join(' '));
      return explainError(error);
    }
    return 'nothing';
  };
  t.match(await refusal(), '--url');
  t.match(await refusal(...args, '--exec'), /needs a program/);
  t.match(await refusal(...args, 'true'), /--exec/);
  t.match(await refusal(...args, '--shell', '--exec', 'true'), /cannot be used with/);
  t.match(await refusal(...args, '--grace', 'x', '--shell'), /whole seconds/);
  t.match(await refusal(...args, '--hostname-from', 'ec2'), /cannot be used with/);
  t.match(await refusal(...args, '--hostname', 'x'.repeat(256)), /255 characters/);
  t.match(await refusal(...args, '--token-file', join(folder, 'none')), /no token file/);
  t.match(await refusal(...args, '--url', 'ftp://x'), /not the URL/);
  await writeFile(join(folder, 'state'), 'damaged');
  t.match(await refusal(...args), /was not written by this agent/);
});
