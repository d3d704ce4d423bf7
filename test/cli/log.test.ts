// The log of `serve` at its lowest level contains neither the secret nor the database's password.

import pg from 'pg';
import t from 'tap';
import { startServer } from '../helpers/database.js';
import { runCommand } from '../helpers/process.js';

const SECRET = 'planted-secret of enough bytes for HS256';
const PASSWORD = 'planted-password';

t.test('no secret of the environment is in the log', async (t) => {
  const server = await startServer(t);
  const { config } = await server.createDatabase({ migrate: false });
  const place = `host=${encodeURIComponent(String(config.host))}&port=${config.port}`;
  const gateway = runCommand(t, ['serve'], {
    PORT: '0',
    LOG_LEVEL: 'trace',
    JWT_SECRET: SECRET,
    DATABASE_URL: `postgresql://${config.user}:${PASSWORD}@localhost/${config.database}?${place}`,
  });
  await gateway.until(({ stderr }) => stderr.includes('the feed is live'));
  const admin = new pg.Client(config);
  await admin.connect();
  await admin.query(`NOTIFY vm_updates, 'planted'`);
  await admin.end();
  await gateway.until(({ stderr }) => stderr.includes('rejected a payload'));
  await server.stop();
  await gateway.until(({ stderr }) => stderr.includes('not listening'));
  gateway.child.kill('SIGTERM');
  t.match(await gateway.exited, { code: 0 });
  t.match(gateway.stderr, '"level":20', 'it tells all it would');
  t.notMatch(gateway.stdout + gateway.stderr, 'planted');
});
