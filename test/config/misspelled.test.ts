// A variable that is nearly one of this program's is refused, with the right name.

import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { findProblems, SECRET } from '../helpers/config.js';

const URL = 'postgresql://lablink@db.example.org/lablink_db';

t.test('a misspelled variable is refused with the name of the right one', async (t) => {
  const meant = {
    DATABASE_URL: [
      'DATABASE_URI',
      'DATABSE_URL',
      'DATABASE_ULR',
      'DATABASEURL',
      'DATABASE_URLS',
      'database_url',
      'DB_URL',
      'POSTGRES_URL',
    ],
    JWT_SECRET: ['JWT_SECERT', 'JWTSECRET', 'JWT_SECRET_KEY'],
    JWT_SECRET_FILE: ['JWT_SECRETS_FILE'],
    DATA_DIR: ['DATADIR', 'DATA_DIRS'],
    LISTEN_DATABASE_URL: ['LISTEN_DATABASE_URI'],
    PGPASSWORD: ['PGPASSWRD', 'PGPASS'],
  };
  for (const [right, names] of Object.entries(meant))
    for (const name of names)
      t.same(
        findProblems({ [name]: URL }),
        [`${name} is not a variable of this program; the variable is called ${right}`],
        name,
      );
});

t.test('a variable of another program is none of ours', async (t) => {
  const others = ['PGDATA', 'PGHOSTADDR', 'PGPASSFILE', 'PGSSLCERT', 'PGSSLKEY', 'PGSSLROOTCERT'];
  others.push('HOSTNAME', 'HOSTS', 'PORTS', 'PATH', 'LOGLEVEL', 'HTTP_PROXY', 'DATA');
  t.strictSame(loadConfig(Object.fromEntries(others.map((name) => [name, 'x']))), loadConfig({}));
});

t.test('beside the right variable, a similar one is left to other programs', async (t) => {
  const beside = { DATABASE_URI: URL, DB_URL: URL };
  t.strictSame(loadConfig({ DATABASE_URL: URL, ...beside }), loadConfig({ DATABASE_URL: URL }));
  t.strictSame(
    loadConfig({ JWT_SECRET: SECRET, JWT_SECRETS_FILE: '/x' }),
    loadConfig({ JWT_SECRET: SECRET }),
  );
});
