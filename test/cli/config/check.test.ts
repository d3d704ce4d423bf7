// `config check`: a line for each check, and an exit code.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { createConfigCommand } from '../../../src/cli/config/config.js';
import { startDatabase } from '../../helpers/database.js';
import { formatUrl, runInProcess, type Ended } from '../../helpers/db-command.js';
import { freePort } from '../../helpers/free-port.js';
import { temporaryFolder } from '../../helpers/process.js';

const check = (variables: Record<string, string>, ...args: string[]): Promise<Ended> =>
  runInProcess(createConfigCommand(), ['check', ...args], variables);

t.test('a usable configuration passes, and nothing is made', async (t) => {
  const DATA_DIR = join(await temporaryFolder(t), 'none');
  const DATABASE_URL = formatUrl(await startDatabase(t));
  const { code, stdout, stderr } = await check({ DATABASE_URL, DATA_DIR });
  t.same([code, stderr], [0, '']);
  t.match(stdout, /^ok +variables +DATABASE_URL, DATA_DIR$/m);
  t.match(stdout, /^ok +secret +none yet: the start generates one in .*none$/m);
  t.match(stdout, /^ok +database +lablink\S*@.*: PostgreSQL \d+.*, connected in \d+ ms$/m);
  t.match(await check({ DATA_DIR }), { code: 0, stdout: /none is named: the start uses an embed/ });
});

t.test('every wrong variable is a line, and ends with 2', async (t) => {
  const { code, stdout } = await check({ PORT: 'http', LABLINK_PORT: '1', DATABASE_URI: 'x' });
  t.equal(code, 2);
  t.match(stdout, /^FAILS +variables +PORT is "http"; expected an integer/m);
  t.match(stdout, /^FAILS +variables +LABLINK_PORT is not a variable/m);
  t.match(stdout, /^FAILS +variables +DATABASE_URI .* called DATABASE_URL/m);
});

t.test('a file, a secret and a database that cannot be used are named', async (t) => {
  const folder = await temporaryFolder(t);
  t.match(await check({ JWT_SECRET_FILE: join(folder, 'none') }), {
    code: 2,
    stdout: /JWT_SECRET_FILE ".*none" cannot be read \(ENOENT\)/,
  });
  await writeFile(join(folder, 'jwt-secret'), `${'x'.repeat(40)}\n`, { mode: 0o644 });
  t.match(await check({ DATA_DIR: folder }), {
    code: 2,
    stdout: /^FAILS +secret +.* is readable by other users; run: chmod 600/m,
  });
  const DATABASE_URL = `postgresql://u@127.0.0.1:${await freePort()}/d`;
  const { code, stdout } = await check({ DATABASE_URL }, '--json');
  t.equal(code, 3);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  t.match(lines.at(-1), { check: 'database', ok: false, message: /cannot be reached/ });
});
