// The agent's token: read from its file each time, or issued by enrolment and kept.

import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { SendRequest } from '../../src/agent/gateway-api.js';
import { createEnrolledTokens, createFileTokens, warnIfExposed } from '../../src/agent/tokens.js';
import { signToken } from '../../src/gateway/auth/token.js';
import { temporaryFolder } from '../helpers/process.js';

const SECRET = 'a secret that only tests know, of enough bytes';
const signed = (ttlSeconds: number): string =>
  signToken({ role: 'agent', sub: `vm-1`, ttlSeconds }, SECRET);

t.test('the file is read again each time', async (t) => {
  const file = join(await temporaryFolder(t), 'token');
  const tokens = createFileTokens(file);
  await t.rejects(tokens.current(), { name: 'AgentFileError', message: /no token file/ });
  await writeFile(file, 'one\n');
  t.equal(await tokens.current(), 'one');
  await writeFile(file, 'two');
  t.equal(await tokens.fresh(), 'two');
});

t.test('a token file that other users can read is warned about, and used', async (t) => {
  const file = join(await temporaryFolder(t), 'token');
  const warnings: string[] = [];
  const warn = () => warnIfExposed(file, (text) => warnings.push(text));
  await warn();
  await writeFile(file, 'one', { mode: 0o600 });
  await warn();
  t.same(warnings, [], 'not without a file, nor for its owner alone');
  for (const mode of [0o644, 0o640, 0o604]) {
    await chmod(file, mode);
    await warn();
    t.match(warnings.pop(), `chmod 600 ${file}`, mode.toString(8));
  }
  t.equal(await createFileTokens(file).current(), 'one');
});

t.test('an agent that enrols', async (t) => {
  const folder = await temporaryFolder(t);
  const tokenFile = join(folder, 'token');
  const enrolTokenFile = join(folder, 'enrol-token');
  const asked: unknown[] = [];
  let answer = { status: 409, body: { code: 'already_enrolled', detail: 'because' } as object };
  const ask: SendRequest = async (...request) => {
    asked.push(request);
    return answer as Awaited<ReturnType<SendRequest>>;
  };
  const parts = { sendRequest: ask, hostname: 'vm-1', tokenFile, enrolTokenFile, nonce: 'n' };
  const tokens = createEnrolledTokens(parts);
  await t.rejects(tokens.fresh(), { message: /no token file.*enrol-token/ });
  await writeFile(enrolTokenFile, 'image\n');
  await t.rejects(tokens.fresh(), { message: /could not be enrolled: HTTP 409 already_enrolled/ });
  t.same(asked, [['POST', '/v1/enrolments', 'image', { hostname: 'vm-1', nonce: 'n' }]]);

  const first = signed(3_600);
  answer = { status: 201, body: { token: first } };
  t.equal(await tokens.fresh(), first);
  t.equal((await readFile(tokenFile, 'utf8')).trim(), first, 'it is kept');
  t.equal((await stat(tokenFile)).mode & 0o777, 0o600);
  t.equal(await tokens.current(), first);
  t.equal(await createEnrolledTokens(parts).fresh(), first, 'over restarts');
  t.equal(asked.length, 2, 'without another enrolment');

  const second = signed(7_200);
  answer = { status: 201, body: { token: second } };
  t.equal(await tokens.fresh(), second, 'a token that was returned before is replaced');
  await writeFile(tokenFile, signed(5));
  t.equal(await tokens.current(), second, 'a token that expires soon is replaced');
});
