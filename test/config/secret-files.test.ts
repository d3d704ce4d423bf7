// Secrets from files are validated like those of the environment, and never shown.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig, VARIABLES } from '../../src/config/load.js';
import { findProblems, SECRET } from '../helpers/config.js';
import { keyPair } from '../helpers/key-pairs.js';

t.test(
  'every secret may be read from a file, without byte-order mark and last line break',
  async (t) => {
    const values: Record<string, string> = {
      DATABASE_URL: 'postgresql://ada:pass@db/lab',
      LISTEN_DATABASE_URL: 'postgresql://direct',
      PGPASSWORD: 'pass',
      JWT_SECRET: ` ${SECRET} `,
      JWT_SECRET_PREVIOUS: `older: ${SECRET}`,
      JWT_PUBLIC_KEY: keyPair('EdDSA').pem,
      JWT_PUBLIC_KEY_PREVIOUS: keyPair('RS256').pem,
    };
    const secrets = VARIABLES.filter(({ about }) => about.secret).map(({ name }) => name);
    t.same(Object.keys(values).sort(), secrets.sort());
    const folder = t.testdir({});
    const files: NodeJS.ProcessEnv = {};
    for (const [name, value] of Object.entries(values)) {
      for (const [number, file] of [value, `${value}\n`, `\uFEFF${value}\r\n`].entries()) {
        const path = join(folder, `${name}-${number}`);
        writeFileSync(path, file);
        files[`${name}_FILE`] = path;
        const { [name]: ofFile, ...others } = values;
        t.ok(ofFile);
        t.strictSame(loadConfig({ ...others, [`${name}_FILE`]: path }), loadConfig(values), name);
      }
    }
    t.strictSame(loadConfig(files), loadConfig(values));
  },
);

t.test('an empty file name counts as not set', async (t) => {
  t.strictSame(loadConfig({ JWT_SECRET_FILE: '' }), loadConfig({}));
});

t.test('a secret that is set twice is rejected, and neither value is shown', async (t) => {
  const path = join(t.testdir({ secret: SECRET }), 'secret');
  t.strictSame(findProblems({ JWT_SECRET: SECRET, JWT_SECRET_FILE: path }), [
    'JWT_SECRET and JWT_SECRET_FILE are both set; expected one',
  ]);
});

t.test('a file without a usable secret is rejected, and only its name is shown', async (t) => {
  const folder = t.testdir({ empty: '\n', short: 'short' });
  mkdirSync(join(folder, 'folder'));
  t.strictSame(
    ['gone', 'folder', 'empty', 'short'].map((name) =>
      findProblems({ JWT_SECRET_FILE: join(folder, name) }),
    ),
    [
      [`JWT_SECRET_FILE "${folder}/gone" cannot be read (ENOENT)`],
      [`JWT_SECRET_FILE "${folder}/folder" cannot be read (EISDIR)`],
      [`JWT_SECRET_FILE "${folder}/empty" is an empty file; expected a secret in it`],
      ['JWT_SECRET is set (5 bytes, not shown); expected 32 bytes or more, and not a key in PEM'],
    ],
  );
});

t.test(
  'a file without read permission is rejected',
  { skip: process.getuid?.() === 0 && 'root reads every file' },
  async (t) => {
    const path = join(t.testdir({ secret: SECRET }), 'secret');
    chmodSync(path, 0);
    t.match(findProblems({ JWT_SECRET_FILE: path }), [/EACCES/]);
  },
);
