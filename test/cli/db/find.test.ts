// How a command finds its database and its gateway.

import t from 'tap';
import { createVerifier } from '../../../src/gateway/auth/token.js';
import { findDatabase } from '../../../src/cli/find-database.js';
import { UsageError } from '../../../src/cli/exit.js';
import { findGateway } from '../../../src/cli/find-gateway.js';
import { loadConfig } from '../../../src/config/load.js';
import { acquireLock } from '../../../src/postgres/embedded/lock.js';
import { keyPair } from '../../helpers/key-pairs.js';
import { temporaryFolder } from '../../helpers/process.js';

const SECRET = 'a secret that only tests know, of enough bytes';
const EMBEDDED = { host: '/run/lablink', port: 5432, user: 'lablink', database: 'lablink_db' };

t.test('a configured database is used, by its direct connection', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const DATABASE_URL = 'postgresql://lablink@pooler:6432/lablink_db';
  t.match(await findDatabase(loadConfig({ DATA_DIR, DATABASE_URL })), { host: 'pooler' });
  const LISTEN_DATABASE_URL = 'postgresql://lablink@server/lablink_db';
  const config = loadConfig({ DATA_DIR, DATABASE_URL, LISTEN_DATABASE_URL });
  t.match(await findDatabase(config), { host: 'server' });
});

t.test('else the database and the URL of the gateway that runs here', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const config = loadConfig({ DATA_DIR });
  const lock = await acquireLock(DATA_DIR);
  await t.rejects(findDatabase(config), UsageError, 'it does not answer yet');
  await lock.update({ url: 'http://127.0.0.1:4711', database: EMBEDDED });
  t.same(await findDatabase(config), EMBEDDED);
  t.equal((await findGateway(config)).url, 'http://127.0.0.1:4711');
  await lock.release();
  await t.rejects(findDatabase(config), { message: /DATABASE_URL.*serve/ });
});

t.test('without a gateway here, the configured address is used', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const at = async (HOST: string): Promise<string> =>
    (await findGateway(loadConfig({ DATA_DIR, HOST, PORT: '9000', JWT_SECRET: SECRET }))).url;
  t.equal(await at('127.0.0.1'), 'http://127.0.0.1:9000');
  t.equal(await at('::1'), 'http://[::1]:9000');
  t.equal(await at('0.0.0.0'), 'http://127.0.0.1:9000', 'nobody can connect to all addresses');
  t.equal(await at('::'), 'http://[::1]:9000');
});

t.test('the token is an admin’s, signed with the configured secret', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const gateway = await findGateway(loadConfig({ DATA_DIR, JWT_SECRET: SECRET }));
  const verified = createVerifier([SECRET])(await gateway.token());
  t.match(verified, { ok: true, identity: { role: 'admin' } });
});

t.test('without a secret to sign with there is no token, and the error says so', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const config = loadConfig({ DATA_DIR, JWT_PUBLIC_KEY: keyPair('ES256').pem });
  const gateway = await findGateway(config);
  t.equal(gateway.url, 'http://127.0.0.1:8080');
  await t.rejects(gateway.token(), UsageError);
});
