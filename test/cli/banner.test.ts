import { resolve } from 'node:path';
import t from 'tap';
import { formatBanner } from '../../src/cli/banner.js';

const banner = {
  url: 'http://127.0.0.1:8080',
  database: 'as configured',
  psql: undefined,
  token: undefined,
  link: undefined,
  signs: true,
  dataDir: undefined,
  loopback: true,
};

t.test('the banner shows the URLs and the database', async (t) => {
  const text = formatBanner(banner);
  t.match(text, banner.url);
  t.match(text, banner.database);
});

t.test('a token is shown only if one is given', async (t) => {
  t.notMatch(formatBanner(banner), 'Bearer');
  t.match(formatBanner({ ...banner, token: 'a.b.c' }), /Bearer a\.b\.c' http:.*\/v1\/vms/);
});

t.test('the link to the dashboard signs in only on loopback', async (t) => {
  t.match(formatBanner(banner), /Dashboard +http:\/\/127\.0\.0\.1:8080\/\n/);
  const link = 'http://127.0.0.1:8080/#code=x';
  const signedIn = { ...banner, token: 'a.b.c', link };
  t.match(formatBanner(signedIn), link);
  t.match(formatBanner(signedIn), /good once.*token --role admin --link/);
  t.notMatch(formatBanner({ ...signedIn, loopback: false }), '#code');
  t.notMatch(formatBanner({ ...signedIn, link: undefined }), 'good once');
  t.notMatch(formatBanner(signedIn), '#token', 'no link has a token');
});

t.test('the example command is shown only where it finds the database', async (t) => {
  t.notMatch(formatBanner(banner), 'watch vm-1');
  t.match(
    formatBanner({ ...banner, dataDir: resolve('.lablink') }),
    /db sql ".*" *\) & .* watch vm-1/,
  );
  const elsewhere = formatBanner({ ...banner, dataDir: "/srv/a b's" });
  t.match(elsewhere, `DATA_DIR='/srv/a b'\\''s' `, 'in a folder of its own');
});

t.test('the psql command for the embedded database is shown', async (t) => {
  t.match(formatBanner({ ...banner, psql: 'psql -h /run/x' }), 'psql -h /run/x');
});

t.test(
  'where tokens are only verified it says so, and offers nothing that signs one',
  async (t) => {
    t.notMatch(formatBanner({ ...banner, dataDir: resolve('.lablink') }), 'JWT_PUBLIC_KEY');
    const text = formatBanner({ ...banner, signs: false, dataDir: resolve('.lablink') });
    t.match(text, /signed elsewhere: JWT_PUBLIC_KEY/);
    t.notMatch(text, 'watch vm-1');
  },
);
